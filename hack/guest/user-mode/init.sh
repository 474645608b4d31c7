#!/bin/sh
# First process of a user-mode Linux whose root is the host's, read-only: a writable overlay in memory over it becomes
# the root. What is written stays in the guest's memory, except inside the checkout, which is the host's own.
export PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
mount -t proc proc /proc
for word in $(cat /proc/cmdline); do
  case $word in
    genkan.checkout=*) checkout=${word#*=} ;;
    genkan.modules=*) modules=${word#*=} ;;
    genkan.agent=*) agent=${word#*=} ;;
  esac
done
mount -t tmpfs -o size=70% memory /mnt
mkdir /mnt/upper /mnt/work /mnt/root
mount -t overlay -o lowerdir=/,upperdir=/mnt/upper,workdir=/mnt/work overlay /mnt/root || exit 1
cd /mnt/root || exit 1
mkdir -p host lib/modules
umount /proc
pivot_root . host
cd /
mount -t proc proc /proc
mount -t sysfs sysfs /sys
mount -t devtmpfs devtmpfs /dev
mount --bind "/host$modules/lib/modules" /lib/modules
mount -t tmpfs -o mode=755 tmpfs /run
mount -t tmpfs -o mode=1777 tmpfs /tmp
# After these: a checkout may lie below /tmp.
mkdir -p "$checkout"
mount --bind "/host$checkout" "$checkout"
mkdir -p /dev/pts /dev/shm /run/netns /run/lock
mount -t devpts -o mode=620,ptmxmode=666 devpts /dev/pts
mount -t tmpfs tmpfs /dev/shm
mount -t cgroup2 none /sys/fs/cgroup
hostname guest
ip link set lo up
ip link set vec0 name eth0 2>/dev/null
exec "/host$agent" '/dev/tty[1-9]'
