/** Objects of a cluster without what nobody else may read. Pure. */
const LEFT_OUT = "(left out)";
/** What kubectl apply was given, with all that is left out elsewhere. */
const LAST_APPLIED = "kubectl.kubernetes.io/last-applied-configuration";
const SECRET_NAME = /pass|secret|token|key|credential|auth/i;
/** `user:password@` of a URL, as proxies are often given. */
const USER_INFO = /:\/\/[^/@\s]+@/g;
/** Fields whose value is a secret wherever they stand: BGPPeer's, and those of other people's objects. */
const SECRET_FIELD = /^(password|token|bearerToken|stringData)$/;

interface Metadata {
  readonly managedFields?: unknown;
  readonly annotations?: Readonly<Record<string, string>>;
}

/**
 * A copy without passwords, without values of variables that are named like secrets, and without what would show them
 * again: who wrote which field, and what kubectl applied.
 */
export function withoutSecrets<T extends { readonly metadata: object }>(object: T): T {
  const { managedFields: _who, annotations, ...metadata } = { ...object.metadata } as Metadata;
  const { [LAST_APPLIED]: _applied, ...others } = annotations ?? {};
  const isAnnotated = Object.keys(others).length > 0;
  const shown = { ...metadata, ...(isAnnotated && { annotations: others }) };
  return cleaned({ ...object, metadata: shown }) as T;
}

function cleaned(value: unknown): unknown {
  if (typeof value === "string") return value.replaceAll(USER_INFO, `://${LEFT_OUT}@`);
  if (Array.isArray(value)) return value.map(cleaned);
  if (typeof value !== "object" || value === null) return value;
  const entries = Object.entries(value);
  const { name } = value as { readonly name?: unknown };
  const isVariable = typeof name === "string" && SECRET_NAME.test(name);
  return Object.fromEntries(
    entries.map(([key, one]) => {
      const isSecret = SECRET_FIELD.test(key) || (isVariable && key === "value");
      return [key, isSecret ? LEFT_OUT : cleaned(one)];
    }),
  );
}
