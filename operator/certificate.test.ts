import assert from "node:assert/strict";
import { once } from "node:events";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { connect, createServer } from "node:tls";
import { systemRandom } from "#common/random.ts";
import {
  CERTIFICATE_LIFETIME_MS,
  certificateOf,
  flawOf,
  issueCertificate,
  renewalIn,
} from "#operator/certificate.ts";
import { type ServingCertificate, webhookDnsNames } from "#operator/children/webhook.ts";

const dnsNames = webhookDnsNames("genkan-system");
const now = new Date("2026-11-21T00:00:00Z");
const later = (ms: number): Date => new Date(now.getTime() + ms);
const issue = (at: Date, previous?: ServingCertificate): Promise<ServingCertificate> =>
  issueCertificate({
    dnsNames,
    now: at,
    random: systemRandom,
    ...(previous === undefined ? {} : { trusted: previous.authorities }),
  });

/** A real handshake: whether a client that trusts `authorities` accepts what `served` serves. */
async function handshake(served: ServingCertificate, authorities: string, name: string): Promise<boolean> {
  const server = createServer({ cert: served.certificate, key: served.key });
  server.on("tlsClientError", () => undefined);
  server.listen(0, "127.0.0.1");
  await once(server, "listening");
  const { port } = server.address() as AddressInfo;
  const client = connect({ port, host: "127.0.0.1", ca: authorities, servername: name });
  const accepted = await new Promise<boolean>((resolve) => {
    client.once("secureConnect", () => resolve(true));
    client.once("error", () => resolve(false));
  });
  client.destroy();
  server.close();
  return accepted;
}

test("an issued certificate has no flaw and serves a client that trusts its authority, and nobody else", async () => {
  const today = new Date();
  const [issued, other] = await Promise.all([issue(today), issue(today)]);
  assert.equal(flawOf(issued, dnsNames, today), undefined);
  for (const name of dnsNames) assert.equal(await handshake(issued, issued.authorities, name), true, name);
  assert.equal(await handshake(issued, other.authorities, dnsNames[0] ?? ""), false);
  assert.equal(await handshake(issued, issued.authorities, "elsewhere.svc"), false);
});

test("after a renewal the certificates of three renewals before are trusted, older ones no longer", async () => {
  const today = new Date();
  const name = dnsNames[0] ?? "";
  const issued = [await issue(today)];
  for (let at = 1; at < 5; at += 1) issued.push(await issue(today, issued.at(-1)));
  const authorities = issued.at(-1)?.authorities ?? "";
  const trusted = await Promise.all(issued.map((each) => handshake(each, authorities, name)));
  assert.deepEqual(trusted, [false, true, true, true, true]);
});

test("flaws are told apart", async () => {
  const [issued, other] = await Promise.all([issue(now), issue(now)]);
  const cases: [string, ServingCertificate | undefined, readonly string[], Date, string | undefined][] = [
    ["nothing there", undefined, dnsNames, now, "Missing"],
    ["garbage", { ...issued, certificate: "garbage" }, dnsNames, now, "Unreadable"],
    ["another key", { ...issued, key: other.key }, dnsNames, now, "WrongKey"],
    ["another namespace", issued, webhookDnsNames("elsewhere"), now, "WrongNames"],
    ["another authority", { ...issued, authorities: other.authorities }, dnsNames, now, "WrongAuthority"],
    ["half of its life", issued, dnsNames, later(CERTIFICATE_LIFETIME_MS / 2), undefined],
    ["three quarters", issued, dnsNames, later((CERTIFICATE_LIFETIME_MS * 3) / 4), "Expiring"],
  ];
  for (const [name, present, names, at, flaw] of cases) assert.equal(flawOf(present, names, at), flaw, name);
});

test("the time until renewal is counted down to zero", async () => {
  const issued = await issue(now);
  const inAll = renewalIn(issued, now);
  assert.ok(inAll > CERTIFICATE_LIFETIME_MS * 0.6 && inAll < CERTIFICATE_LIFETIME_MS * 0.7);
  assert.equal(renewalIn(issued, later(1000)), inAll - 1000);
  assert.equal(renewalIn(issued, later(CERTIFICATE_LIFETIME_MS)), 0);
});

test("a Secret's data is read back, and one that lacks a part is none", async () => {
  const issued = await issue(now);
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  const data = { "tls.crt": base64(issued.certificate), "tls.key": base64(issued.key) };
  assert.deepEqual(certificateOf({ ...data, "ca.crt": base64(issued.authorities) }), issued);
  assert.equal(certificateOf(data), undefined);
  assert.equal(certificateOf(undefined), undefined);
});
