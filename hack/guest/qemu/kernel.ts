/** Debian's generic kernel under qemu: slow (every instruction is emulated), and as it runs on most people's nodes. */
import { join } from "node:path";
import { CHECKOUT } from "#hack/common/checkout.ts";
import { run } from "#hack/common/command.ts";
import type { Say } from "#hack/common/progress.ts";
import type { GuestKernel, MachineOptions } from "#hack/guest/kernel.ts";
import { ensureQemuFiles, type QemuFiles } from "#hack/guest/qemu/files.ts";

const PROGRAM = "qemu-system-x86_64";
/**
 * The guest's two processors take turns in one thread. With a thread each, qemu 7.2 now and then runs old instructions of
 * a program that writes its own: of 40 starts of Node in one guest, 11 ended by SIGTRAP or SIGSEGV, and here none of 40.
 */
const ACCELERATOR = "tcg,thread=single";
/** Loaded at boot, so that nothing depends on what loads by itself. `modprobe NAME` works in the guest for the rest. */
const MODULES = [
  ...["ip_vs", "ip_vs_mh", "ip_vs_rr", "ip_vs_wrr", "ip_vs_sh", "ip_vs_lc", "ip_vs_wlc"],
  ...["ip_vs_dh", "ip_vs_sed", "ip_vs_nq"],
  ...["ipip", "ip6_tunnel", "sit", "ip_gre", "ip6_gre", "fou", "fou6"],
  ...["nf_tables", "nft_chain_nat", "nft_ct", "nft_fib_inet", "nft_hash", "nft_limit", "nft_log", "nft_masq"],
  ...["nft_nat", "nft_numgen", "nft_objref", "nft_quota", "nft_redir", "nft_reject_inet"],
  ...["nf_conntrack_netlink", "nfnetlink"],
  ...[
    "veth",
    "bridge",
    "dummy",
    "vxlan",
    "macvlan",
    "tun",
    "vrf",
    "sctp",
    "virtio_net",
    "inet_diag",
    "tcp_diag",
  ],
];

/** Downloads what is missing the first time: Debian's kernel (67 MB), and qemu itself, which only the tests' set-up installs. */
export async function qemuKernel(tell: Say): Promise<GuestKernel> {
  if (!(await hasQemu())) {
    tell("guest: qemu is not installed: installing it");
    await run([join(CHECKOUT, "hack", "setup"), "tests"]);
  }
  const files = await ensureQemuFiles(tell);
  return {
    kind: "qemu",
    description: `Linux ${files.release} under qemu`,
    argv: (machine) => qemuArguments(files, machine),
    modules: MODULES,
  };
}

async function hasQemu(): Promise<boolean> {
  const answer = await run([PROGRAM, "--version"]).catch(() => undefined);
  return answer !== undefined;
}

function qemuArguments(files: QemuFiles, { directory, memory, ports, tap, mac }: MachineOptions): string[] {
  const append = [
    "console=ttyS0 quiet panic=-1 mitigations=off",
    `genkan.checkout=${CHECKOUT} genkan.modules=${files.modules} genkan.agent=${files.agent}`,
  ].join(" ");
  const channel = Array.from({ length: ports }, (_, port) => [
    ...["-chardev", `socket,id=port${port},path=${join(directory, `port${port}`)},server=on,wait=off`],
    ...["-device", `virtserialport,chardev=port${port},name=agent${port}`],
  ]);
  const hardware = mac === undefined ? "" : `,mac=${mac}`;
  const card =
    tap === undefined
      ? ["-nic", "none"]
      : [
          ...["-netdev", `tap,id=net,ifname=${tap},script=no,downscript=no`],
          ...["-device", `virtio-net-pci,netdev=net${hardware}`],
        ];
  return [
    ...[PROGRAM, "-accel", ACCELERATOR, "-smp", "2", "-m", `${memory}`],
    // Old on purpose: it has AES, and no AVX, whose emulation costs more than it saves (measured).
    ...["-cpu", "Westmere"],
    ...["-nographic", "-no-reboot"],
    ...["-kernel", files.kernel, "-initrd", files.initrd, "-append", append],
    ...["-virtfs", "local,path=/,mount_tag=host,security_model=none,multidevs=remap"],
    ...["-device", "virtio-serial-pci", ...channel.flat()],
    ...card,
  ];
}
