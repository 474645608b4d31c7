/**
 * AES-GCM as memberlist has it (security.go): one octet of version, 12 of nonce, the text, 16 of tag. Version 1 is the
 * text as it is; version 0, of protocol 1, pads it to blocks of 16 octets.
 */
import { createCipheriv, createDecipheriv } from "node:crypto";
import { GossipError } from "./error.ts";

const NONCE = 12;
const TAG = 16;
const BLOCK = 16;
/** Octets that sealing adds. */
export const SEAL_OVERHEAD = 1 + NONCE + TAG;
export const MOST_KEYS = 8;

/** 16, 24 or 32 octets each; the first one writes, all read. */
export type Keyring = readonly [Uint8Array, ...Uint8Array[]];

/** A ring that cannot be used. */
export class KeyringError extends Error {
  override readonly name = "KeyringError";
  readonly code = "BadKeyring";
}

/** Checks lengths and number; each key once. KeyringError. */
export function keyringOf(keys: readonly Uint8Array[]): Keyring {
  const [first, ...others] = keys;
  if (first === undefined) throw new KeyringError("no key at all: gossip is never sent in the clear");
  if (keys.length > MOST_KEYS) throw new KeyringError(`${keys.length} keys, ${MOST_KEYS} at most`);
  for (const [at, key] of keys.entries()) {
    if (![16, 24, 32].includes(key.length))
      throw new KeyringError(`key ${at + 1} has ${key.length} octets: it has to be of 16, 24 or 32`);
  }
  return [first, ...others];
}

const cipherOf = (key: Uint8Array): "aes-128-gcm" | "aes-192-gcm" | "aes-256-gcm" =>
  key.length === 16 ? "aes-128-gcm" : key.length === 24 ? "aes-192-gcm" : "aes-256-gcm";

/** Version 1, by the first key. `nonce` must be new each time. */
export function seal(ring: Keyring, plain: Uint8Array, associated: Uint8Array, nonce: Uint8Array): Buffer {
  const cipher = createCipheriv(cipherOf(ring[0]), ring[0], nonce);
  cipher.setAAD(associated);
  const text = cipher.update(plain);
  cipher.final();
  return Buffer.concat([Uint8Array.of(1), nonce, text, cipher.getAuthTag()]);
}

/** What was sealed by any key of the ring. GossipError. */
export function unseal(ring: Keyring, bytes: Uint8Array, associated: Uint8Array): Buffer {
  const version = bytes[0];
  if (version === undefined || version > 1) throw new GossipError("key", `encryption version ${version}`);
  if (bytes.length < SEAL_OVERHEAD) throw new GossipError("key", `${bytes.length} octets are no sealed text`);
  const nonce = bytes.subarray(1, 1 + NONCE);
  const text = bytes.subarray(1 + NONCE, bytes.length - TAG);
  const tag = bytes.subarray(bytes.length - TAG);
  for (const key of ring) {
    const decipher = createDecipheriv(cipherOf(key), key, nonce, { authTagLength: TAG });
    decipher.setAAD(associated);
    decipher.setAuthTag(tag);
    const plain = decipher.update(text);
    try {
      decipher.final();
    } catch {
      // Another key may be the one: which it was cannot be told before.
      continue;
    }
    return version === 0 ? unpad(plain) : plain;
  }
  throw new GossipError("key", "no key opens it");
}

/** PKCS #7 (RFC 5652 section 6.3). */
function unpad(plain: Buffer): Buffer {
  const more = plain.at(-1) ?? 0;
  if (more === 0 || more > BLOCK || more > plain.length) throw new GossipError("malformed", "wrong padding");
  return plain.subarray(0, plain.length - more);
}

/** Which nonce sealed it: no two texts have the same one. Octets as latin1 text. */
export const nonceOf = (bytes: Uint8Array): string =>
  Buffer.from(bytes.subarray(1, 1 + NONCE)).toString("latin1");
