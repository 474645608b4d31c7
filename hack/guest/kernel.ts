/** What a guest's kernel is to the rest: a program to start, and words for people. */

/** The machine that a guest wants. */
export interface MachineOptions {
  /** Where the sockets of the control channel go. */
  readonly directory: string;
  /** Megabytes of memory. */
  readonly memory: number;
  /** Ports of the control channel. */
  readonly ports: number;
  /** A tap device of the host that becomes the guest's first network card (eth0). */
  readonly tap?: string;
  /** Hardware address of that card. */
  readonly mac?: string;
}

export const KERNEL_KINDS = ["user-mode", "qemu"] as const;
export type KernelKind = (typeof KERNEL_KINDS)[number];

export interface KernelIdentity {
  readonly kind: KernelKind;
  /** `user-mode Linux (linux-source-7.2 7.2.12-1~bpo13+1 of trixie-backports)` */
  readonly description: string;
}

export interface GuestKernel extends KernelIdentity {
  /**
   * The program that is the guest, with its arguments: it makes the sockets `port0`, `port1`, ... in the directory,
   * writes the console to its standard output, and ends with the guest; SIGTERM ends both.
   */
  argv(machine: MachineOptions): readonly string[];
  /** Kernel modules to load when it is up; empty where all is built in. */
  readonly modules: readonly string[];
}

/** Text of a `--kernel` flag; undefined when it is none of them. */
export function parseKernelKind(text: string): KernelKind | undefined {
  return KERNEL_KINDS.find((kind) => kind === text);
}
