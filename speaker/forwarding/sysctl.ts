/** Kernel settings that forwarding needs, and their values before us (docs/dataplane.md, "What must be set"). */

/** Name -> value. The value before us is remembered in the table's chain `saved`. */
export const WANTED_SYSCTLS: Readonly<Record<string, string>> = {
  "net.ipv4.vs.sloppy_tcp": "1",
  "net.ipv4.vs.sloppy_sctp": "1",
  "net.ipv4.vs.conntrack": "1",
  "net.ipv4.vs.schedule_icmp": "1",
  "net.ipv4.vs.expire_nodest_conn": "1",
  "net.ipv4.vs.pmtu_disc": "0",
};
/** Settings of our own device. They go with the device, so nothing is remembered. */
const OWN_SYSCTLS: Readonly<Record<string, string>> = { "net.ipv4.conf.genkan4.rp_filter": "2" };
export const ALL_SYSCTLS: Readonly<Record<string, string>> = { ...WANTED_SYSCTLS, ...OWN_SYSCTLS };

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
  for (const name of Object.keys(WANTED_SYSCTLS)) {
    const present = files.read(name);
    if (present !== undefined && !all.has(name)) all.set(name, present);
  }
  return [...all].map(([name, value]) => `${name}=${value}`).sort();
}

/** Names of settings that are not as wanted. */
export function wrongSysctls(files: SysctlFiles): string[] {
  return Object.entries(ALL_SYSCTLS)
    .filter(([name, value]) => {
      const present = files.read(name);
      return present !== undefined && present !== value;
    })
    .map(([name]) => name);
}

/** Puts back the remembered values. A setting that somebody else has changed since is left alone. */
export function restoreSysctls(files: SysctlFiles, saved: ReadonlyMap<string, string>): void {
  for (const [name, ours] of Object.entries(WANTED_SYSCTLS)) {
    const before = saved.get(name);
    if (before !== undefined && before !== ours && files.read(name) === ours) files.write(name, before);
  }
}
