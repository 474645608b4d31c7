/** Found objects -> verdicts, as if they were applied one after the other into an empty cluster. Pure. */
import { API_VERSION, GROUP } from "#api/names.ts";
import { faultsOf, warningsOf } from "#api/v1beta1/admission/judge.ts";
import { rulesOfKind } from "#api/v1beta1/admission/kinds.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";
import type { AddressPool, BFDProfile, BGPPeer, ObjectMeta } from "#api/v1beta1/generated/types.ts";
import { unknownFields } from "#cli/check/unknown.ts";
import type { Documents, Found, Manifest, Template, Unreadable } from "#cli/documents.ts";
import type { Place } from "#cli/places.ts";
import { markInValue } from "#cli/templates.ts";

export interface ObjectVerdict {
  readonly file: string;
  readonly line: number;
  readonly kind: string;
  readonly name: string;
  readonly admitted: boolean;
  /** Empty if it is admitted. */
  readonly faults: readonly Fault[];
  /** Where the field of each fault stands. */
  readonly places: readonly Place[];
  readonly warnings: readonly string[];
}

export interface CheckReport {
  readonly objects: readonly ObjectVerdict[];
  /** Manifests of other groups, by group; "" is the core group. */
  readonly passedOver: ReadonlyMap<string, number>;
  readonly unreadable: readonly Unreadable[];
  /** Documents of a folder that are no manifests. */
  readonly notManifests: number;
  /** Documents of a folder that a tool has to fill in first. */
  readonly templates: number;
}

export interface CheckOptions {
  /** The install namespace. */
  readonly namespace: string;
  /** Whether objects that name no namespace are applied with `-n` as well. */
  readonly isNamespaceGiven: boolean;
}

const NAME = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;

export function checkDocuments(documents: Documents, options: CheckOptions): CheckReport {
  const passedOver = new Map<string, number>();
  const seen = new Map<string, Found>();
  const judged: { found: Found; object: Judged; faults: readonly Fault[] }[] = [];
  const templates = [...documents.templates];
  const set = new AdmittedSet(options.namespace);
  for (const found of documents.found) {
    const group = groupOf(found.object);
    if (group !== GROUP) {
      passedOver.set(group, (passedOver.get(group) ?? 0) + 1);
      continue;
    }
    const template = templateOf(found);
    if (template !== undefined) {
      templates.push(template);
      continue;
    }
    const object = inNamespace(found.object, options.namespace);
    const faults = faultsOffline(found, object, { view: set, seen });
    if (faults.length === 0) set.add(object);
    judged.push({ found, object, faults });
  }
  const objects = judged.map(({ found, object, faults }) => {
    const { file, line, object: written } = found;
    const admitted = faults.length === 0;
    return {
      file,
      line,
      kind: object.kind,
      name: object.metadata.name,
      admitted,
      faults,
      places: faults.map(({ field }) => found.placeOf?.(field) ?? { line, column: 1 }),
      // In the light of all that was admitted: a file may name what a later one brings.
      warnings: admitted ? [...warningsOf(object, set), ...namespaceWarning(written, options)] : [],
    };
  });
  const { strangers } = documents;
  // What the user names is meant to be judged; of a folder these are counted alone.
  const meant = [...strangers, ...templates].filter(isNamed);
  const unreadable = [
    ...documents.unreadable,
    ...meant.map(({ file, line, message }) => ({ file, line, message })),
  ];
  return {
    objects,
    passedOver,
    unreadable,
    notManifests: strangers.filter((each) => !isNamed(each)).length,
    templates: templates.filter((each) => !isNamed(each)).length,
  };
}

const isNamed = ({ isNamed: is }: { readonly isNamed?: boolean }): boolean => is === true;

/** An object of ours that is not filled in yet: nothing of it can be judged. */
function templateOf(found: Found): Template | undefined {
  const { metadata, spec } = found.object;
  const mark = markInValue([metadata, spec]);
  if (mark === undefined) return undefined;
  return { ...found, text: "", message: mark.message };
}

function groupOf({ apiVersion }: Manifest): string {
  const slash = apiVersion.indexOf("/");
  return slash < 0 ? "" : apiVersion.slice(0, slash);
}

/** As it is written: a name may be missing, which is a fault of its own (nameFaults). */
function metadataOf({ metadata }: Manifest): Partial<ObjectMeta> {
  const isMap = typeof metadata === "object" && metadata !== null && !Array.isArray(metadata);
  return isMap ? (metadata as Partial<ObjectMeta>) : {};
}

function inNamespace(object: Manifest, namespace: string): Manifest & Judged {
  const metadata = metadataOf(object);
  // Whether it has a name at all is asked of the manifest itself: the name here is for what is printed.
  const written: unknown = metadata.name ?? "";
  const name = typeof written === "string" ? written : JSON.stringify(written);
  return { ...(withoutNulls(object) as Manifest), metadata: { namespace, ...metadata, name } };
}

/** A field without a value is not there: the API server takes it so. */
function withoutNulls(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(withoutNulls);
  if (typeof value !== "object" || value === null) return value;
  const kept = Object.entries(value).filter(([, inner]) => inner !== null);
  return Object.fromEntries(kept.map(([name, inner]) => [name, withoutNulls(inner)]));
}

function namespaceWarning(written: Manifest, { namespace, isNamespaceGiven }: CheckOptions): string[] {
  if (isNamespaceGiven || metadataOf(written).namespace !== undefined) return [];
  return [`metadata.namespace: not set: apply it with -n ${namespace}`];
}

interface Context {
  readonly view: AdmissionView;
  readonly seen: Map<string, Found>;
}

/** What the API server itself would say first, then the rules of admission. */
function faultsOffline(found: Found, object: Manifest & Judged, { view, seen }: Context): Fault[] {
  if (object.apiVersion !== API_VERSION) {
    return [fault("apiVersion", `"${object.apiVersion}": only ${API_VERSION} is served`)];
  }
  const named = nameFaults(found.object);
  if (named.length > 0) return named;
  const key = `${object.kind}/${object.metadata.namespace}/${object.metadata.name}`;
  const first = seen.get(key);
  if (first !== undefined) {
    const where = `${first.file}:${first.line}`;
    return [fault("metadata.name", `${object.kind} "${object.metadata.name}" is already in ${where}`)];
  }
  seen.set(key, found);
  return [...unknownFields(object.kind, object), ...faultsOf(object, view)];
}

function nameFaults(manifest: Manifest): Fault[] {
  const { name } = metadataOf(manifest);
  if (name === undefined) return [fault("metadata.name", "is missing")];
  if (typeof name === "string" && name.length <= 253 && NAME.test(name)) return [];
  return [fault("metadata.name", `${JSON.stringify(name)} is not a name: lower case, digits, - and .`)];
}

/** What was admitted so far. It only ever grows, which is what the rules' indexes ask for (growing.ts). */
class AdmittedSet implements AdmissionView {
  readonly namespace: string;
  readonly pools: AddressPool[] = [];
  readonly peers: BGPPeer[] = [];
  readonly profiles: BFDProfile[] = [];
  readonly services = [];

  constructor(namespace: string) {
    this.namespace = namespace;
  }

  add(object: Judged): void {
    const list = rulesOfKind(object.kind)?.list;
    // The list of a kind holds objects of that kind, and this one's schema holds.
    if (list !== undefined) this[list].push(object as never);
  }
}
