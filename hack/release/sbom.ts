/** What a release is made of, as CycloneDX 1.6 in JSON: the packages of npm that run, node, and Debian's libraries. Pure. */

/** Of package-lock.json, version 3. */
export interface LockFile {
  readonly packages: Readonly<Record<string, LockedPackage>>;
}

interface LockedPackage {
  readonly version?: string;
  readonly integrity?: string;
  readonly license?: string;
  /** Only for building and testing. */
  readonly dev?: boolean;
  readonly dependencies?: Readonly<Record<string, string>>;
}

/** A package of Debian of which something is in an image. */
export interface DebianPackage {
  readonly name: string;
  readonly version: string;
  readonly architecture: string;
}

export interface SbomOf {
  readonly version: string;
  /** Of the binary in the images. */
  readonly nodeVersion: string;
  readonly debian: readonly DebianPackage[];
}

export interface Component {
  readonly type: "application" | "library" | "platform";
  readonly "bom-ref": string;
  readonly name: string;
  readonly group?: string;
  readonly version: string;
  readonly purl: string;
  readonly licenses?: readonly object[];
  readonly hashes?: readonly { alg: string; content: string }[];
}

export interface Sbom {
  readonly bomFormat: "CycloneDX";
  readonly specVersion: "1.6";
  readonly version: 1;
  readonly metadata: { readonly component: Component };
  readonly components: readonly Component[];
  readonly dependencies: readonly { ref: string; dependsOn: readonly string[] }[];
}

const MODULES = "node_modules/";

/** It has no time and no random number: one release has one. */
export function sbomOf(lock: LockFile, { version, nodeVersion, debian }: SbomOf): Sbom {
  const running = Object.entries(lock.packages)
    .filter(([path, { dev }]) => path !== "" && dev !== true)
    .sort(([a], [b]) => (a < b ? -1 : 1));
  const refs = new Map(running.map(([path, entry]) => [path, purlOf(path, entry)]));
  const root = componentOf(
    "genkan",
    { version: version.replace(/^v/, ""), license: "Apache-2.0" },
    "application",
  );
  const node = componentOf("node", { version: nodeVersion.replace(/^v/, ""), license: "MIT" }, "platform");
  const parts = [node, ...debian.map(debianComponent)];
  const components = new Map(parts.map((part) => [part["bom-ref"], part]));
  const edges = new Map<string, Set<string>>([
    [root["bom-ref"], new Set([...linksOf("", lock, refs), ...components.keys()])],
    ...[...components.keys()].map((ref) => [ref, new Set<string>()] as const),
  ]);
  for (const [path, entry] of running) {
    const component = componentOf(path, entry, "library");
    const ref = component["bom-ref"];
    components.set(ref, component);
    // One version may stand at several places, with other neighbours at each.
    edges.set(ref, new Set([...(edges.get(ref) ?? []), ...linksOf(path, lock, refs)]));
  }
  return {
    ...{ bomFormat: "CycloneDX", specVersion: "1.6", version: 1 },
    metadata: { component: root },
    components: [...components.values()],
    dependencies: [...edges].map(([ref, links]) => ({ ref, dependsOn: [...links].sort() })),
  };
}

const nameOf = (path: string): string => path.slice(path.lastIndexOf(MODULES) + MODULES.length);
const spelled = (name: string): string => name.replace(/^@/, "%40");

/** A package URL, which other tools look for faults by. */
function purlOf(path: string, { version = "" }: LockedPackage): string {
  return `pkg:npm/${spelled(path.includes(MODULES) ? nameOf(path) : path)}@${version}`;
}

function componentOf(path: string, entry: LockedPackage, type: Component["type"]): Component {
  const whole = path.includes(MODULES) ? nameOf(path) : path;
  const [group, name = whole] = whole.startsWith("@") ? whole.split("/") : [];
  const purl = type === "library" ? purlOf(path, entry) : `pkg:generic/${whole}@${entry.version}`;
  const { version = "", license, integrity } = entry;
  return {
    ...{ type, "bom-ref": purl },
    ...(group === undefined ? {} : { group }),
    ...{ name, version, purl },
    ...(license === undefined ? {} : { licenses: [licenseOf(license)] }),
    ...(integrity === undefined ? {} : { hashes: [hashOf(integrity)] }),
  };
}

function debianComponent({ name, version, architecture }: DebianPackage): Component {
  const purl = `pkg:deb/debian/${name}@${encodeURIComponent(version)}?arch=${architecture}`;
  return { type: "library", "bom-ref": purl, name, version, purl };
}

/** An identifier of SPDX, or an expression of several. */
const licenseOf = (license: string): object =>
  / |\(/.test(license) ? { expression: license } : { license: { id: license } };

/** `sha512-<base64>`, as npm has it, is the digest of the package's archive. */
function hashOf(integrity: string): { alg: string; content: string } {
  const [algorithm = "", digest = ""] = integrity.split("-");
  return {
    alg: algorithm.toUpperCase().replace(/^SHA/, "SHA-"),
    content: Buffer.from(digest, "base64").toString("hex"),
  };
}

/** References of what a package depends on, found as node finds it: the nearest place upwards. */
function linksOf(path: string, lock: LockFile, refs: ReadonlyMap<string, string>): string[] {
  const names = Object.keys(lock.packages[path]?.dependencies ?? {});
  return names.flatMap((name) => {
    for (let at = path; ; at = at.slice(0, Math.max(0, at.lastIndexOf(`/${MODULES}`)))) {
      const ref = refs.get(at === "" ? `${MODULES}${name}` : `${at}/${MODULES}${name}`);
      if (ref !== undefined) return [ref];
      if (at === "") return [];
    }
  });
}
