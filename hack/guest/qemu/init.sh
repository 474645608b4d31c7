#!/bin/sh
# /init of the guest's initrd: the host's root, seen through a writable overlay in memory, becomes the guest's root.
# What is written stays in the guest's memory, except inside the checkout, which is the host's own.
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
while read -r module; do insmod "/modules/$module" || echo "init: insmod $module failed"; done </modules/order
for word in $(cat /proc/cmdline); do
  case $word in genkan.*=*) eval "${word%%=*}"='${word#*=}' 2>/dev/null || export "$(echo "${word%%=*}" | tr . _)=${word#*=}" ;; esac
done
mount -t 9p -o trans=virtio,version=9p2000.L,msize=512000,cache=loose host /host || exec sh
mount -t tmpfs -o size=70% memory /memory
mkdir /memory/upper /memory/work
mount -t overlay -o lowerdir=/host,upperdir=/memory/upper,workdir=/memory/work overlay /root || exec sh
mkdir -p /root/host "/root/lib/modules"
mount --move /host /root/host
mount --bind "/root/host$genkan_modules/lib/modules" /root/lib/modules
mount -t tmpfs -o mode=755 tmpfs /root/run
mount -t tmpfs -o mode=1777 tmpfs /root/tmp
# After these: a checkout may lie below /tmp.
mkdir -p "/root$genkan_checkout"
mount --bind "/root/host$genkan_checkout" "/root$genkan_checkout"
for name in proc sys dev; do mount --move "/$name" "/root/$name"; done
mkdir -p /root/dev/pts /root/dev/shm /root/run/netns /root/run/lock
mount -t devpts -o mode=620,ptmxmode=666 devpts /root/dev/pts
mount -t tmpfs tmpfs /root/dev/shm
hostname guest
ip link set lo up
exec switch_root /root "$genkan_agent" '/dev/vport*'
