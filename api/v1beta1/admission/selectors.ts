/** Label selectors and label maps: what Kubernetes takes as a key, a value, an operator. Pure. */
import { canonical } from "#api/v1beta1/admission/canonical.ts";
import { twice } from "#api/v1beta1/admission/list.ts";
import { type Fault, fault } from "#api/v1beta1/fault.ts";

export interface Selector {
  readonly matchLabels?: Readonly<Record<string, string>>;
  readonly matchExpressions?: readonly {
    readonly key: string;
    readonly operator: string;
    readonly values?: readonly string[];
  }[];
}

const NAME = /^[A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?$/;
const PREFIX = /^[a-z0-9]([-a-z0-9]*[a-z0-9])?(\.[a-z0-9]([-a-z0-9]*[a-z0-9])?)*$/;
const VALUE = /^([A-Za-z0-9]([-A-Za-z0-9_.]{0,61}[A-Za-z0-9])?)?$/;

/** `name` or `dns.prefix/name`, as labels, annotations and taints are keyed. */
export function isQualifiedName(key: string): boolean {
  const slash = key.indexOf("/");
  if (slash < 0) return NAME.test(key);
  return slash <= 253 && PREFIX.test(key.slice(0, slash)) && NAME.test(key.slice(slash + 1));
}

/** Keys and values of a map of labels. */
export function labelsValid(field: string, labels: Readonly<Record<string, string>> | undefined): Fault[] {
  return Object.entries(labels ?? {}).flatMap(([key, value]) => [
    ...keyValid(field, key),
    ...valueValid(`${field}[${JSON.stringify(key)}]`, value),
  ]);
}

/** Everything about a list of selectors: keys, values, and whether an operator has the values that it needs. */
export function selectorsValid(field: string, selectors: readonly Selector[] | undefined): Fault[] {
  return (selectors ?? []).flatMap((selector, at) => [
    ...labelsValid(`${field}[${at}].matchLabels`, selector.matchLabels),
    ...(selector.matchExpressions ?? []).flatMap((expression, index) =>
      expressionValid(`${field}[${at}].matchExpressions[${index}]`, expression),
    ),
  ]);
}

type Expression = NonNullable<Selector["matchExpressions"]>[number];

const expressionKey = ({ key, operator, values = [] }: Expression): string =>
  canonical([key, operator, [...values].sort()]);

/** Equal for two selectors that select the same by the same words, in whatever order. */
export function selectorKey({ matchLabels = {}, matchExpressions = [] }: Selector): string {
  return canonical([matchLabels, matchExpressions.map(expressionKey).sort()]);
}

/** No selector twice in the list, no expression twice in a selector, no value twice in an expression. */
export function selectorsOnce(field: string, selectors: readonly Selector[] | undefined): Fault[] {
  return [
    ...(selectors ?? []).flatMap(({ matchExpressions }, at) => {
      const expressions = `${field}[${at}].matchExpressions`;
      return [
        ...(matchExpressions ?? []).flatMap(({ values }, index) =>
          twice(`${expressions}[${index}].values`, values),
        ),
        ...twice(expressions, matchExpressions, expressionKey),
      ];
    }),
    ...twice(field, selectors, selectorKey),
  ];
}

function expressionValid(field: string, { key, operator, values = [] }: Expression): Fault[] {
  const needsValues = operator === "In" || operator === "NotIn";
  const faults = keyValid(`${field}.key`, key);
  if (needsValues && values.length === 0) {
    faults.push(fault(`${field}.values`, `operator ${operator} needs at least one`));
  }
  if (!needsValues && values.length > 0) {
    faults.push(fault(`${field}.values`, `${JSON.stringify(values)}: operator ${operator} takes none`));
  }
  return [...faults, ...values.flatMap((value, at) => valueValid(`${field}.values[${at}]`, value))];
}

function keyValid(field: string, key: string): Fault[] {
  return isQualifiedName(key) ? [] : [fault(field, `"${key}" is not a label's key`)];
}

function valueValid(field: string, value: string): Fault[] {
  return VALUE.test(value) ? [] : [fault(field, `"${value}" is not a label's value`)];
}
