/**
 * Fields that somebody else put into a child. Server-side apply never removes them (they are not ours), so a node
 * selector added by hand would stay. The remedy is to make them ours first: an apply that does not name them then
 * removes them. Pure.
 */

import type { FieldSet, ManagedFields } from "#common/kube/managers.ts";

/**
 * Status and metadata have other owners by right, and so have a ServiceAccount's lists of Secrets: platforms fill them in
 * (OpenShift's image pull secrets) and would again and again.
 */
const NOT_CONTENT = new Set([
  "f:metadata",
  "f:status",
  "f:apiVersion",
  "f:kind",
  "f:imagePullSecrets",
  "f:secrets",
]);
/** `kubectl rollout restart` writes here, and its effect is wanted. */
const RESTART = [
  "f:spec",
  "f:template",
  "f:metadata",
  "f:annotations",
  "f:kubectl.kubernetes.io/restartedAt",
];

/** Names of those who own a part of the object's content besides `ours`; subresources (status, scale) don't count. */
export function strangersIn(fields: readonly ManagedFields[], ours: string): string[] {
  const names = fields.filter((entry) => isStranger(entry, ours)).map((entry) => entry.manager ?? "unknown");
  return [...new Set(names)].sort();
}

function isStranger(entry: ManagedFields, ours: string): boolean {
  if (isOurs(entry, ours) || entry.subresource !== undefined) return false;
  const content = without(entry.fieldsV1 ?? {}, RESTART);
  return Object.keys(content).some((key) => !NOT_CONTENT.has(key));
}

function isOurs(entry: ManagedFields, ours: string): boolean {
  return entry.manager === ours && entry.operation === "Apply" && entry.subresource === undefined;
}

/** `set` without the leaf at `path`, and without what becomes empty by that. */
function without(set: FieldSet, path: readonly string[]): FieldSet {
  const [head, ...rest] = path;
  const inner = head === undefined ? undefined : set[head];
  if (head === undefined || inner === undefined) return set;
  const kept = rest.length === 0 ? {} : without(inner, rest);
  const { [head]: _, ...others } = set;
  const isEmpty = Object.keys(kept).every((key) => key === ".");
  return isEmpty ? others : { ...others, [head]: kept };
}

/** managedFields in which all that strangers own is ours. `apiVersion` is used if we owned nothing yet. */
export function adopted(fields: readonly ManagedFields[], ours: string, apiVersion: string): ManagedFields[] {
  const taken = fields.filter((entry) => isOurs(entry, ours) || isStranger(entry, ours));
  const kept = fields.filter((entry) => !taken.includes(entry));
  const present = taken.find((entry) => isOurs(entry, ours));
  return [
    ...kept,
    {
      manager: ours,
      operation: "Apply",
      apiVersion: present?.apiVersion ?? apiVersion,
      fieldsType: "FieldsV1",
      fieldsV1: taken.reduce<FieldSet>((union, entry) => merged(union, entry.fieldsV1 ?? {}), {}),
    },
  ];
}

function merged(left: FieldSet, right: FieldSet): FieldSet {
  const union: Record<string, FieldSet> = { ...left };
  for (const [key, inner] of Object.entries(right)) union[key] = merged(union[key] ?? {}, inner);
  return union;
}
