/**
 * A certificate that a process makes for itself, signed with its own key (RFC 5280 section 4.1), in DER written by hand:
 * it has one shape, and the library that writes every shape costs each node 24 MB (measured with node 26.10).
 */
import { generateKeyPairSync, sign } from "node:crypto";
import type { KeyPair } from "#common/key-pair.ts";
import type { Random } from "#common/random.ts";

export interface SelfSignedOptions {
  readonly commonName: string;
  readonly dnsNames: readonly string[];
  readonly now: Date;
  readonly random: Pick<Random, "bytes">;
}

/** Longer than any process lives: it is made anew with each start. */
const LIFETIME_YEARS = 10;
/** Clocks may differ by this much. */
const CLOCK_SKEW_MS = 5 * 60_000;

const TAG = {
  integer: 0x02,
  bitString: 0x03,
  octetString: 0x04,
  objectId: 0x06,
  utf8: 0x0c,
  utcTime: 0x17,
  generalizedTime: 0x18,
  sequence: 0x30,
  set: 0x31,
} as const;

/** Object identifiers, encoded (X.690 section 8.19). */
const OID = {
  ecdsaWithSha256: "2a8648ce3d040302",
  commonName: "550403",
  basicConstraints: "551d13",
  extendedKeyUsage: "551d25",
  subjectAltName: "551d11",
  serverAuth: "2b06010505070301",
} as const;

/** A new P-256 key and its certificate, PEM. */
export function selfSigned(options: SelfSignedOptions): KeyPair {
  const { privateKey, publicKey } = generateKeyPairSync("ec", { namedCurve: "P-256" });
  const algorithm = sequence(objectId(OID.ecdsaWithSha256));
  const toBeSigned = certificateBody(options, algorithm, publicKey.export({ type: "spki", format: "der" }));
  const signature = sign("sha256", toBeSigned, privateKey);
  const certificate = sequence(toBeSigned, algorithm, der(TAG.bitString, Buffer.from([0]), signature));
  return {
    cert: pem("CERTIFICATE", certificate),
    key: String(privateKey.export({ type: "pkcs8", format: "pem" })),
  };
}

/** TBSCertificate, RFC 5280 section 4.1.2. Issuer and subject are the same. */
function certificateBody(options: SelfSignedOptions, algorithm: Buffer, publicKey: Buffer): Buffer {
  const { now, commonName, dnsNames } = options;
  const until = new Date(now);
  until.setUTCFullYear(until.getUTCFullYear() + LIFETIME_YEARS);
  const name = sequence(
    der(TAG.set, sequence(objectId(OID.commonName), der(TAG.utf8, Buffer.from(commonName)))),
  );
  const version3 = der(0xa0, der(TAG.integer, Buffer.from([2])));
  // Positive, and with no leading zero.
  const serial = Buffer.from(options.random.bytes(16));
  serial[0] = ((serial[0] ?? 0) & 0x7f) | 0x40;
  const extensions = sequence(
    // Critical: no authority.
    sequence(
      objectId(OID.basicConstraints),
      Buffer.from([0x01, 0x01, 0xff]),
      der(TAG.octetString, sequence()),
    ),
    sequence(objectId(OID.extendedKeyUsage), der(TAG.octetString, sequence(objectId(OID.serverAuth)))),
    sequence(
      objectId(OID.subjectAltName),
      der(TAG.octetString, sequence(...dnsNames.map((dnsName) => der(0x82, Buffer.from(dnsName))))),
    ),
  );
  return sequence(
    version3,
    der(TAG.integer, serial),
    algorithm,
    name,
    sequence(time(new Date(now.getTime() - CLOCK_SKEW_MS)), time(until)),
    name,
    publicKey,
    der(0xa3, extensions),
  );
}

/** UTCTime through 2049, GeneralizedTime from then on: RFC 5280 section 4.1.2.5. */
function time(date: Date): Buffer {
  const digits = `${date.toISOString().replace(/[-:T]|\..*$/g, "")}Z`;
  return date.getUTCFullYear() < 2050
    ? der(TAG.utcTime, Buffer.from(digits.slice(2)))
    : der(TAG.generalizedTime, Buffer.from(digits));
}

const sequence = (...parts: readonly Buffer[]): Buffer => der(TAG.sequence, ...parts);
const objectId = (hex: string): Buffer => der(TAG.objectId, Buffer.from(hex, "hex"));

/** Tag, length and contents; the length is one octet up to 127, else its own length and its octets. */
function der(tag: number, ...parts: readonly Buffer[]): Buffer {
  const contents = Buffer.concat(parts);
  if (contents.length < 0x80) return Buffer.concat([Buffer.from([tag, contents.length]), contents]);
  const digits = contents.length.toString(16);
  const length = Buffer.from(digits.padStart(digits.length + (digits.length % 2), "0"), "hex");
  return Buffer.concat([Buffer.from([tag, 0x80 | length.length]), length, contents]);
}

function pem(label: string, bytes: Buffer): string {
  const lines = bytes.toString("base64").match(/.{1,64}/g) ?? [];
  return [`-----BEGIN ${label}-----`, ...lines, `-----END ${label}-----`, ""].join("\n");
}
