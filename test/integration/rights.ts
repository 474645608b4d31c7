/** Rights as RBAC has them, one by one, and which of them a request used. Pure. */
import type { PolicyRule } from "#operator/children/rbac.ts";
import type { Asked } from "#test/integration/audit.ts";

/** One verb on one resource. */
export interface Right {
  /** Of a Role; undefined of a ClusterRole, which holds everywhere. */
  readonly namespace: string | undefined;
  readonly group: string;
  readonly resource: string;
  /** Of the only object for which it holds; undefined for all. */
  readonly name: string | undefined;
  readonly verb: string;
}

export function rightsOf(rules: readonly PolicyRule[], namespace: string | undefined): Right[] {
  return rules.flatMap(({ apiGroups = [], resources = [], resourceNames = [], verbs }) =>
    apiGroups.flatMap((group) =>
      resources.flatMap((resource) =>
        (resourceNames.length === 0 ? [undefined] : resourceNames).flatMap((name) =>
          verbs.map((verb) => ({ namespace, group, resource, name, verb })),
        ),
      ),
    ),
  );
}

/** `create leases=name (coordination.k8s.io) in namespace`. */
export function wordsOf({ namespace, group, resource, name, verb }: Right): string {
  const what = name === undefined ? resource : `${resource}=${name}`;
  const where = namespace === undefined ? "" : ` in ${namespace}`;
  return `${verb} ${what}${group === "" ? "" : ` (${group})`}${where}`;
}

/** The narrowest of `rights` that let the request pass: a right to everything is not used by who has one to the thing. */
export function usedBy(asked: Asked, rights: readonly Right[]): Right[] {
  return verbsOf(asked).flatMap((verb) => {
    const letting = rights.filter(
      (right) =>
        right.verb === verb &&
        right.group === asked.group &&
        right.resource === asked.resource &&
        (right.namespace === undefined || right.namespace === asked.namespace) &&
        (right.name === undefined || right.name === asked.name),
    );
    const narrow = (right: Right): number =>
      Number(right.name !== undefined) * 2 + Number(right.namespace !== undefined);
    const narrowest = Math.max(...letting.map(narrow));
    return letting.filter((right) => narrow(right) === narrowest);
  });
}

/** An apply that makes its object (201) is judged as a patch and as a creation. */
const verbsOf = ({ verb, code }: Asked): string[] =>
  verb === "patch" && code === 201 ? ["patch", "create"] : [verb];
