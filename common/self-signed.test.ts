import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { createServer, request } from "node:https";
import type { AddressInfo } from "node:net";
import { test } from "node:test";
import { systemRandom } from "#common/random.ts";
import { selfSigned } from "#common/self-signed.ts";

const NAME = "genkan-metrics.genkan-system.svc";
const made = (now: Date) =>
  selfSigned({ commonName: "speaker", dnsNames: [NAME, "b.example"], now, random: systemRandom });

test("a certificate that is signed by its own key, for its names, for ten years", () => {
  const { cert, key } = made(new Date("2026-05-01T12:00:00Z"));
  const parsed = new X509Certificate(cert);
  assert.ok(parsed.verify(parsed.publicKey));
  assert.ok(parsed.checkPrivateKey(createPrivateKey(key)));
  assert.equal(parsed.subject, "CN=speaker");
  assert.equal(parsed.issuer, parsed.subject);
  assert.equal(parsed.checkHost(NAME), NAME);
  assert.equal(parsed.checkHost("b.example"), "b.example");
  assert.equal(parsed.checkHost("c.example"), undefined);
  assert.equal(parsed.ca, false);
  assert.equal(parsed.validFromDate.toISOString(), "2026-05-01T11:55:00.000Z");
  assert.equal(parsed.validToDate.toISOString(), "2036-05-01T12:00:00.000Z");
});

test("after 2049 its times have four digits for the year", () => {
  const { validToDate, validFromDate } = new X509Certificate(made(new Date("2049-01-01T00:00:00Z")).cert);
  assert.deepEqual([validFromDate.getUTCFullYear(), validToDate.getUTCFullYear()], [2048, 2059]);
});

test("another start, another key and another number", () => {
  const [one, other] = [made(new Date(0)), made(new Date(0))];
  assert.notEqual(one.key, other.key);
  assert.notEqual(new X509Certificate(one.cert).serialNumber, new X509Certificate(other.cert).serialNumber);
});

test("a client that is given it as its authority trusts it", async () => {
  const { cert, key } = made(new Date());
  const server = createServer({ cert, key }, (_, response) => response.end("hello"));
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  const { port } = server.address() as AddressInfo;
  const code = await new Promise((resolve, reject) => {
    const options = { host: "127.0.0.1", port, ca: cert, servername: NAME, agent: false };
    request(options, (response) => resolve(response.resume().statusCode))
      .on("error", reject)
      .end();
  });
  assert.equal(code, 200);
  await new Promise((resolve) => server.close(resolve));
});
