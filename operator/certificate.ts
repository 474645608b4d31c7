/**
 * The webhook's serving certificate, made by ourselves: an authority that signs one certificate and is forgotten, so
 * that no signing key is kept anywhere. A renewal makes a new authority; the last one stays trusted beside it until
 * the controllers have read the new files.
 */
// The x509 library finds its parts by decorators, which need this before it.
import "reflect-metadata";
import { createPrivateKey, type webcrypto, X509Certificate } from "node:crypto";
import {
  AuthorityKeyIdentifierExtension,
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509CertificateGenerator,
} from "@peculiar/x509";
import type { Random } from "#common/random.ts";
import type { ServingCertificate } from "#operator/children/webhook.ts";

const DAY_MS = 86_400_000;
/** How long a certificate lives unless told otherwise, and the share of it after which the next one is made. */
export const CERTIFICATE_LIFETIME_MS = 90 * DAY_MS;
const RENEW_AFTER_SHARE = 2 / 3;
/** Clocks of API server and operator may differ by this much. */
const CLOCK_SKEW_MS = 5 * 60_000;
/** Authorities before the present one that stay trusted. */
const KEPT_AUTHORITIES = 3;
const ALGORITHM = { name: "ECDSA", namedCurve: "P-256", hash: "SHA-256" };

export type CertificateFlaw =
  | "Missing"
  | "Unreadable"
  | "WrongNames"
  | "WrongKey"
  | "WrongAuthority"
  | "Expiring";

/** The PEM texts in the data of a kubernetes.io/tls Secret (base64); undefined where one is missing. */
export function certificateOf(
  data: Readonly<Record<string, string>> | undefined,
): ServingCertificate | undefined {
  const text = (key: string): string => Buffer.from(data?.[key] ?? "", "base64").toString("utf8");
  const [certificate, key, authorities] = [text("tls.crt"), text("tls.key"), text("ca.crt")];
  if (certificate === "" || key === "" || authorities === "") return undefined;
  return { certificate, key, authorities };
}

/** Why `present` cannot stay, or undefined. Pure: `now` decides about expiry. */
export function flawOf(
  present: ServingCertificate | undefined,
  dnsNames: readonly string[],
  now: Date,
): CertificateFlaw | undefined {
  if (present === undefined) return "Missing";
  const parsed = parse(present);
  if (parsed === undefined) return "Unreadable";
  const { certificate, authorities } = parsed;
  if (!parsed.keyFits) return "WrongKey";
  if (dnsNames.some((name) => certificate.checkHost(name) === undefined)) return "WrongNames";
  if (!authorities.some((authority) => certificate.verify(authority.publicKey))) return "WrongAuthority";
  return now.getTime() >= renewalTime(certificate) ? "Expiring" : undefined;
}

/** Milliseconds from `now` until `present` has to be renewed; 0 if that time has passed or it cannot be read. */
export function renewalIn(present: ServingCertificate, now: Date): number {
  const parsed = parse(present);
  return parsed === undefined ? 0 : Math.max(0, renewalTime(parsed.certificate) - now.getTime());
}

function renewalTime(certificate: X509Certificate): number {
  const from = certificate.validFromDate.getTime();
  const to = certificate.validToDate.getTime();
  return from + (to - from) * RENEW_AFTER_SHARE;
}

interface Parsed {
  readonly certificate: X509Certificate;
  readonly authorities: readonly X509Certificate[];
  readonly keyFits: boolean;
}

function parse(present: ServingCertificate): Parsed | undefined {
  try {
    const certificate = new X509Certificate(present.certificate);
    return {
      certificate,
      authorities: blocksOf(present.authorities).map((pem) => new X509Certificate(pem)),
      keyFits: certificate.checkPrivateKey(createPrivateKey(present.key)),
    };
  } catch {
    // Whatever is wrong with the texts, the answer is the same: they are replaced.
    return undefined;
  }
}

function blocksOf(pem: string): string[] {
  return pem.match(/-----BEGIN CERTIFICATE-----[^-]+-----END CERTIFICATE-----/g) ?? [];
}

export interface IssueOptions {
  readonly dnsNames: readonly string[];
  readonly now: Date;
  readonly random: Random;
  readonly lifetimeMs?: number;
  /** Whom the API server trusts until now, newest first, PEM: what is served was signed by one of them. */
  readonly trusted?: string;
}

/** A new authority and a certificate for `dnsNames` signed by it. */
export async function issueCertificate(options: IssueOptions): Promise<ServingCertificate> {
  const { dnsNames, now, random } = options;
  const notBefore = new Date(now.getTime() - CLOCK_SKEW_MS);
  const notAfter = new Date(now.getTime() + (options.lifetimeMs ?? CERTIFICATE_LIFETIME_MS));
  const [authorityKeys, keys] = await Promise.all([generateKeys(), generateKeys()]);
  const common = { notBefore, notAfter, signingAlgorithm: ALGORITHM };
  const authority = await X509CertificateGenerator.createSelfSigned({
    ...common,
    serialNumber: serial(random),
    name: `CN=genkan-webhook-ca ${serial(random).slice(0, 8)}`,
    keys: authorityKeys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(authorityKeys.publicKey),
    ],
  });
  const certificate = await X509CertificateGenerator.create({
    ...common,
    serialNumber: serial(random),
    subject: `CN=${dnsNames[0] ?? "genkan-webhook"}`,
    issuer: authority.subject,
    publicKey: keys.publicKey,
    signingKey: authorityKeys.privateKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth]),
      new SubjectAlternativeNameExtension(dnsNames.map((value) => ({ type: "dns", value }))),
      await AuthorityKeyIdentifierExtension.create(authorityKeys.publicKey),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  });
  return {
    certificate: `${certificate.toString("pem")}\n`,
    key: `${PemConverter.encode(await crypto.subtle.exportKey("pkcs8", keys.privateKey), "PRIVATE KEY")}\n`,
    authorities: `${[authority.toString("pem"), ...stillTrusted(options.trusted ?? "", now)].join("\n")}\n`,
  };
}

async function generateKeys(): Promise<webcrypto.CryptoKeyPair> {
  return await crypto.subtle.generateKey(ALGORITHM, true, ["sign", "verify"]);
}

/** 16 random bytes as hex, the first below 0x80: a positive number (RFC 5280 section 4.1.2.2). */
function serial(random: Random): string {
  const bytes = random.bytes(16);
  bytes[0] = ((bytes[0] ?? 0) & 0x7f) | 0x40;
  return Buffer.from(bytes).toString("hex");
}

/**
 * The newest of the last authorities, newest first, while they are valid: a replica serves with the last pair until the
 * kubelet brings it the new one, and somebody may ask for the next renewal before that.
 */
function stillTrusted(authorities: string, now: Date): string[] {
  return blocksOf(authorities)
    .slice(0, KEPT_AUTHORITIES)
    .filter((block) => {
      try {
        return new X509Certificate(block).validToDate > now;
      } catch {
        // Damaged: nobody can be serving with it.
        return false;
      }
    });
}
