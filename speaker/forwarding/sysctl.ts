/** Kernel settings that forwarding needs, and their values before us (docs/dataplane.md, "What must be set"). */

/** Name -> value. The value before us is remembered in the table's chain `saved`. */
export const WANTED_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.vs.sloppy_tcp": "1",
  "net.ipv4.vs.sloppy_sctp": "1",
  "net.ipv4.vs.conntrack": "1",
  "net.ipv4.vs.schedule_icmp": "1",
  "net.ipv4.vs.expire_nodest_conn": "1",
  // Else, where conntrack is kept, the first packet from a port that was used before is dropped (test/dataplane/reused-port).
  "net.ipv4.vs.conn_reuse_mode": "0",
  "net.ipv4.vs.pmtu_disc": "0",
};
/**
 * While connections are shared: a connection is told of with its first packet, or when its handshake is complete, and
 * again every 3 s while packets pass. So a message that is lost is made good, and a node that returns learns of all that
 * is in use.
 */
export const SYNC_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.vs.sync_version": "1",
  "net.ipv4.vs.sync_threshold": "0\t0",
  "net.ipv4.vs.sync_refresh_period": "3",
  "net.ipv4.vs.sync_retries": "0",
  // As many threads as all others have.
  "net.ipv4.vs.sync_ports": "1",
  // With it a node that takes in connections forwards nothing.
  "net.ipv4.vs.backup_only": "0",
};
/** Settings of our own devices. They go with the devices, so nothing is remembered. */
const OWN_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.conf.genkan4.rp_filter": "2",
  "net.ipv4.conf.genkan-gre4.rp_filter": "2",
};
export const ALL_SYSCTLS: Readonly<Record<string, string>> = { ...WANTED_SYSCTLS, ...OWN_SYSCTLS };
/** All that are others' and may be changed. */
const CHANGED: Readonly<Record<string, string>> = { ...WANTED_SYSCTLS, ...SYNC_SYSCTLS };

/** Where values are read and written: files below /proc/sys, or the place that it is mounted at. */
export interface SysctlFiles {
  /** undefined: the kernel has no such setting. */
  read(name: string): string | undefined;
  write(name: string, value: string): void;
}

/** The `name=value` lines of the chain `saved`, as a map. Any other line is somebody's comment and is left out. */
export function parseSaved(lines: readonly string[]): Map<string, string> {
  const saved = new Map<string, string>();
  for (const line of lines) {
    const found = /^([\w./-]+)=(.*)$/.exec(line);
    if (found?.[1] !== undefined && found[2] !== undefined) saved.set(found[1], found[2]);
  }
  return saved;
}

/** What has to be remembered. Known values stay; new settings are added with the value that they have now. */
export function toSave(known: ReadonlyMap<string, string>, files: SysctlFiles): string[] {
  const all = new Map(known);
  for (const name of Object.keys(CHANGED)) {
    if (all.has(name)) continue;
    const present = files.read(name);
    if (present !== undefined) all.set(name, present);
  }
  return [...all].map(([name, value]) => `${name}=${value}`).sort();
}

/** Settings that are not as wanted, with what they should be. */
export function wrongSysctls(files: SysctlFiles, wanted = ALL_SYSCTLS): [name: string, value: string][] {
  return Object.entries(wanted).filter(([name, value]) => {
    const present = files.read(name);
    return present !== undefined && present !== value;
  });
}

/** Puts back the remembered values. A setting that somebody else has changed since is left alone. */
export function restoreSysctls(
  files: SysctlFiles,
  saved: ReadonlyMap<string, string>,
  which = CHANGED,
): void {
  for (const [name, ours] of Object.entries(which)) {
    const before = saved.get(name);
    if (before !== undefined && before !== ours && files.read(name) === ours) files.write(name, before);
  }
}
