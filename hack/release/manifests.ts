/**
 * install.yaml: what `kubectl apply -k config/default` applies, with the images of a release by digest. It reads the few
 * things of kustomize that config/ uses, so that a release needs no kubectl; test/integration/release-manifests.test.ts
 * holds it to kubectl's own output.
 */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parse, parseAllDocuments, stringify } from "yaml";
import { CHECKOUT } from "#hack/common/checkout.ts";

export interface Manifest {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: {
    readonly name: string;
    readonly namespace?: string;
    readonly annotations?: Readonly<Record<string, string>>;
  };
}

/** kubectl reads YAML 1.1, in which 0440 is octal. */
const YAML = { version: "1.1", aliasDuplicateObjects: false } as const;
const READ = new Set(["apiVersion", "kind", "resources", "configurations", "images"]);
const OURS = /^genkan\.dev\/([a-z]+):\S+$/;

/** The objects of a kustomization below config/, in its order, with the images as they stand there. */
export async function readObjects(folder = "config/default"): Promise<Manifest[]> {
  const kustomization = parse(await readFile(join(CHECKOUT, folder, "kustomization.yaml"), "utf8"));
  const unknown = Object.keys(kustomization).filter((name) => !READ.has(name));
  if (unknown.length > 0) throw new Error(`${folder}: install.yaml cannot be made with ${unknown.join()}`);
  const objects: Manifest[] = [];
  for (const resource of kustomization.resources as string[]) {
    const path = join(folder, resource);
    objects.push(...(path.endsWith(".yaml") ? await readFileOf(path) : await readObjects(path)));
  }
  return objects;
}

async function readFileOf(path: string): Promise<Manifest[]> {
  const text = await readFile(join(CHECKOUT, path), "utf8");
  return parseAllDocuments(text, YAML).map((document) => document.toJS() as Manifest);
}

/** The same with every image of ours, `genkan.dev/<role>:<tag>`, named as `imageOf` says. Pure. */
export function withImages<T>(value: T, imageOf: (role: string) => string): T {
  if (typeof value === "string") {
    const role = OURS.exec(value)?.[1];
    return (role === undefined ? value : imageOf(role)) as T;
  }
  if (Array.isArray(value)) return value.map((item) => withImages(item, imageOf)) as T;
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([name, item]) => [name, withImages(item, imageOf)]),
  ) as T;
}

/** Documents that kubectl reads as these objects. Pure. */
export const toYaml = (objects: readonly Manifest[]): string =>
  objects.map((object) => `---\n${stringify(object, { ...YAML, lineWidth: 0 })}`).join("");
