/** The keys of gossip: one Secret, watched by its name. Nothing waits for it; without it Leases alone are judged. */
import { GOSSIP_SECRET_ENTRY, GOSSIP_SECRET_NAME, GOSSIP_SECRET_TYPE } from "#api/names.ts";
import { Reflector } from "#common/kube/reflector.ts";
import { type Secret, secrets } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { keyringOf } from "../gossip/wire/keyring.ts";
import type { NamedSecretsOptions } from "./named-secrets.ts";
import { secretText } from "./project-bgp.ts";
import { fields, UnusableError } from "./usable.ts";

interface Keys {
  /** The first one writes, all read. */
  readonly keys: readonly Uint8Array[];
}

export class GossipKeys {
  readonly #store = new Store<Keys>();
  readonly #reflector: Reflector<Secret, Keys>;

  constructor(options: NamedSecretsOptions) {
    const { client, namespace, clock, random, log, onChange } = options;
    this.#store.subscribe(() => onChange());
    this.#reflector = new Reflector<Secret, Keys>({
      client,
      resource: secrets,
      store: this.#store,
      project: projectKeys,
      clock,
      random,
      log: log.child({ secret: GOSSIP_SECRET_NAME }),
      namespace,
      // The name is what RBAC judges by.
      fieldSelector: `metadata.name=${GOSSIP_SECRET_NAME},type=${GOSSIP_SECRET_TYPE}`,
    });
  }

  get(): readonly Uint8Array[] | undefined {
    return this.#store.list()[0]?.keys;
  }

  /** Until `signal` aborts. */
  run(signal: AbortSignal): Promise<void> {
    return this.#reflector.start(signal);
  }
}

/** One key a line, in base64, and behind it what the operator notes for itself. UnusableError without a word of it. */
export function projectKeys({ data }: Secret): Keys {
  const field = `data.${GOSSIP_SECRET_ENTRY}`;
  const encoded = secretText(fields(data, "data")[GOSSIP_SECRET_ENTRY], field);
  const lines = Buffer.from(encoded, "base64")
    .toString("latin1")
    .split("\n")
    .filter((line) => line.trim() !== "");
  try {
    return { keys: keyringOf(lines.map((line) => Buffer.from(line.split(" ")[0] ?? "", "base64"))) };
  } catch {
    throw new UnusableError(field, {}, "up to 8 lines, each with the base64 of 16, 24 or 32 octets");
  }
}
