/** The cases of admission, out of the YAML files beside this one: input and expected verdict. */
import { readdir, readFile } from "node:fs/promises";
import { parse } from "yaml";
import { API_VERSION, DEFAULT_NAMESPACE } from "#api/names.ts";
import type { Judged } from "#api/v1beta1/admission/question.ts";
import { type AdmissionView, emptyView, type ServiceInUse } from "#api/v1beta1/admission/view.ts";
import type { AddressPool, BFDProfile, BGPPeer } from "#api/v1beta1/generated/types.ts";

export type Operation = "CREATE" | "UPDATE" | "DELETE";

/** An object as a file spells it. */
interface Written {
  readonly kind: string;
  readonly name: string;
  readonly namespace?: string;
  readonly spec?: object;
}

interface WrittenCase extends Partial<Written> {
  readonly case: string;
  readonly operation?: Operation;
  /** What is in the cluster already; the file's own `given` where absent. */
  readonly given?: readonly Written[];
  readonly services?: readonly ServiceInUse[];
  /** Messages; the object is admitted where absent. */
  readonly refused?: readonly string[];
  readonly warned?: readonly string[];
  /** Part of what the API server says where it refuses by schema or CEL, before any webhook is asked. */
  readonly server?: string;
  /** The API server does not let it come about. */
  readonly offline?: boolean;
  readonly deleting?: boolean;
}

interface WrittenFile {
  readonly kind: string;
  readonly given?: readonly Written[];
  readonly cases: readonly WrittenCase[];
}

export type CaseObject = Judged & { readonly apiVersion: string; readonly spec: object };

export interface AdmissionCase {
  readonly name: string;
  readonly operation: Operation;
  readonly given: readonly CaseObject[];
  readonly services: readonly ServiceInUse[];
  /** undefined when it is deleted. */
  readonly object: CaseObject | undefined;
  readonly oldObject: CaseObject | undefined;
  readonly refused: readonly string[];
  readonly warned: readonly string[];
  readonly server: string | undefined;
  readonly isOffline: boolean;
}

export async function readCases(): Promise<readonly AdmissionCase[]> {
  const directory = new URL("./", import.meta.url);
  const files = (await readdir(directory)).filter((name) => name.endsWith(".yaml")).sort();
  const read = files.map(async (name) => {
    const file = parse(await readFile(new URL(name, directory), "utf8")) as WrittenFile;
    return file.cases.map((written) => caseOf(name.replace(".yaml", ""), file, written));
  });
  return (await Promise.all(read)).flat();
}

function caseOf(prefix: string, file: WrittenFile, written: WrittenCase): AdmissionCase {
  const given = (written.given ?? file.given ?? []).map(objectOf);
  const { operation = "CREATE", kind = file.kind, name = "it" } = written;
  const stored = given.find((each) => each.kind === kind && each.metadata.name === name);
  const { namespace = DEFAULT_NAMESPACE, spec = {} } = written;
  const changed = objectOf({ kind, name, namespace, spec });
  const object: CaseObject = written.deleting
    ? { ...changed, metadata: { ...changed.metadata, deletionTimestamp: "2026-01-01T00:00:00Z" } }
    : changed;
  return {
    name: `${prefix}: ${written.case}`,
    operation,
    given,
    services: written.services ?? [],
    object: operation === "DELETE" ? undefined : object,
    oldObject: operation === "CREATE" ? undefined : (stored ?? object),
    refused: written.refused ?? [],
    warned: written.warned ?? [],
    server: written.server,
    isOffline: written.offline === true,
  };
}

function objectOf({ kind, name, namespace = DEFAULT_NAMESPACE, spec = {} }: Written): CaseObject {
  return { apiVersion: API_VERSION, kind, metadata: { name, namespace }, spec };
}

/** The cluster of a case as rules across objects see it. */
export function viewOf({ given, services }: AdmissionCase): AdmissionView {
  const of = <T>(kind: string): T[] => given.filter((object) => object.kind === kind) as unknown as T[];
  return {
    ...emptyView(DEFAULT_NAMESPACE),
    pools: of<AddressPool>("AddressPool"),
    peers: of<BGPPeer>("BGPPeer"),
    profiles: of<BFDProfile>("BFDProfile"),
    services,
  };
}
