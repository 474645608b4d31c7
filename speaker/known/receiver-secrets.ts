/** What signs the calls about owners (notice/): the Secret that spec.layer2.ownerChangedSecret names. */
import {
  LEAST_RECEIVER_KEY,
  RECEIVER_SECRET_CA,
  RECEIVER_SECRET_KEY,
  RECEIVER_SECRET_TYPE,
} from "#api/names.ts";
import type { Secret } from "#common/kube/resource.ts";
import { NamedSecrets, type NamedSecretsOptions } from "./named-secrets.ts";
import { Password } from "./password.ts";
import { fields, UnusableError } from "./usable.ts";

export interface ReceiverSecret {
  /** Its octets as Latin-1. */
  readonly key: Password;
  /** Certificates of authorities, PEM; undefined: those that everybody trusts. */
  readonly ca?: string;
}

/** Base64 of a key, and of certificates. */
const LONGEST = { key: 1_024, ca: 65_536 } as const;

export class ReceiverSecrets extends NamedSecrets<ReceiverSecret> {
  constructor(options: NamedSecretsOptions) {
    super(options, { type: RECEIVER_SECRET_TYPE, project: projectReceiverSecret });
  }
}

/** UnusableError without a word of the key. */
export function projectReceiverSecret({ data }: Secret): ReceiverSecret {
  const { [RECEIVER_SECRET_KEY]: key, [RECEIVER_SECRET_CA]: ca } = fields(data, "data");
  const octets =
    typeof key === "string" && key.length <= LONGEST.key ? Buffer.from(key, "base64") : undefined;
  if (octets === undefined || octets.length < LEAST_RECEIVER_KEY)
    throw new UnusableError(`data.${RECEIVER_SECRET_KEY}`, {}, `at least ${LEAST_RECEIVER_KEY} octets`);
  if (ca !== undefined && (typeof ca !== "string" || ca.length > LONGEST.ca))
    throw new UnusableError(`data.${RECEIVER_SECRET_CA}`, {}, "certificates in PEM");
  return {
    key: new Password(octets.toString("latin1")),
    ...(typeof ca === "string" && { ca: Buffer.from(ca, "base64").toString("latin1") }),
  };
}
