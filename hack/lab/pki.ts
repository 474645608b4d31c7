/** A certificate authority of one lab, and what it signs. */
// The x509 library finds its parts by decorators, which need this before it.
import "reflect-metadata";
import { generateKeyPairSync, type webcrypto } from "node:crypto";
import { isIP } from "node:net";
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type JsonGeneralName,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from "@peculiar/x509";

const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };
const YEAR_MS = 365 * 86_400_000;
/** The guest's clock may be behind the host's. */
const SKEW_MS = 3_600_000;

/** PEM texts. */
export interface Credential {
  readonly certificate: string;
  readonly key: string;
}

export interface Subject {
  readonly commonName: string;
  /** Becomes the Kubernetes group. */
  readonly organization?: string;
  /** DNS names and IP addresses; a certificate with names may serve. */
  readonly names?: readonly string[];
}

export interface Authority {
  /** PEM. */
  readonly certificate: string;
  /** PEM. */
  readonly key: string;
  issue(subject: Subject): Promise<Credential>;
}

export async function createAuthority(name: string): Promise<Authority> {
  const keys = await newKeys();
  const certificate = await X509CertificateGenerator.createSelfSigned({
    name: `CN=${name}`,
    serialNumber: serial(),
    notBefore: new Date(Date.now() - SKEW_MS),
    notAfter: new Date(Date.now() + YEAR_MS),
    keys,
    signingAlgorithm: ALGORITHM,
    extensions: [
      new BasicConstraintsExtension(true, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return authorityOf(certificate, keys.privateKey);
}

/** The authority whose `ca.crt` and `ca.key` `read` gives. */
export async function loadAuthority(read: (file: "ca.crt" | "ca.key") => string): Promise<Authority> {
  const [der] = PemConverter.decode(read("ca.key"));
  if (der === undefined) throw new TypeError("ca.key holds no PEM");
  const key = await crypto.subtle.importKey("pkcs8", der, ALGORITHM, true, ["sign"]);
  return authorityOf(new X509Certificate(read("ca.crt")), key);
}

async function authorityOf(
  certificate: X509Certificate,
  signingKey: webcrypto.CryptoKey,
): Promise<Authority> {
  return {
    certificate: certificate.toString("pem"),
    key: PemConverter.encode(await crypto.subtle.exportKey("pkcs8", signingKey), "PRIVATE KEY"),
    issue: async (subject) => {
      const own = await newKeys();
      const signed = await X509CertificateGenerator.create({
        subject: [
          ...(subject.organization === undefined ? [] : [{ O: [subject.organization] }]),
          { CN: [subject.commonName] },
        ],
        issuer: certificate.subject,
        serialNumber: serial(),
        notBefore: new Date(Date.now() - SKEW_MS),
        notAfter: new Date(Date.now() + YEAR_MS),
        publicKey: own.publicKey,
        signingKey,
        signingAlgorithm: ALGORITHM,
        extensions: extensionsFor(subject),
      });
      const key = await crypto.subtle.exportKey("pkcs8", own.privateKey);
      return { certificate: signed.toString("pem"), key: PemConverter.encode(key, "PRIVATE KEY") };
    },
  };
}

/** The key pair that signs service accounts' tokens. */
export function createServiceAccountKeys(): { publicKey: string; privateKey: string } {
  return generateKeyPairSync("rsa", {
    modulusLength: 2048,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem" },
  });
}

function extensionsFor(subject: Subject) {
  const names = (subject.names ?? []).map(
    (value): JsonGeneralName => ({ type: isIP(value) === 0 ? "dns" : "ip", value }),
  );
  return [
    new BasicConstraintsExtension(false, undefined, true),
    new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth, ExtendedKeyUsage.serverAuth]),
    ...(names.length === 0 ? [] : [new SubjectAlternativeNameExtension(names)]),
  ];
}

function newKeys(): Promise<webcrypto.CryptoKeyPair> {
  return crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** 16 random bytes, positive. */
function serial(): string {
  const bytes = Buffer.from(crypto.getRandomValues(new Uint8Array(16)));
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x01;
  return bytes.toString("hex");
}
