/** Why something that came over the network was dropped. */
export type DropReason =
  /** The label is another cluster's, or is missing. */
  | "label"
  /** No key of ours opens it. */
  | "key"
  /** The checksum inside is wrong. */
  | "checksum"
  /** It is not what the format says. */
  | "malformed"
  /** It is larger than anything of ours, or unpacks to more. */
  | "size";

/** Octets from the network that are not used. Decoders throw nothing else. */
export class GossipError extends Error {
  override readonly name = "GossipError";
  readonly code: DropReason;
  constructor(code: DropReason, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

export const malformed = (what: string, cause?: unknown): GossipError =>
  new GossipError("malformed", what, cause === undefined ? undefined : { cause });
