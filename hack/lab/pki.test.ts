import assert from "node:assert/strict";
import { createPrivateKey, X509Certificate } from "node:crypto";
import { test } from "node:test";
import { createAuthority, loadAuthority } from "#hack/lab/pki.ts";

test("what the authority issues verifies by it, names its group, and covers its addresses", async () => {
  const authority = await createAuthority("test");
  const issued = await authority.issue({
    commonName: "system:node:node1",
    organization: "system:nodes",
    names: ["node1", "172.30.8.1", "fd30:8::1"],
  });
  const certificate = new X509Certificate(issued.certificate);
  assert.ok(certificate.verify(new X509Certificate(authority.certificate).publicKey));
  assert.ok(certificate.checkPrivateKey(createPrivateKey(issued.key)));
  assert.match(certificate.subject, /O=system:nodes/);
  assert.match(certificate.subject, /CN=system:node:node1/);
  assert.equal(certificate.checkIP("fd30:8::1"), "fd30:8::1");
  assert.equal(certificate.checkHost("node1"), "node1");
  assert.equal(certificate.checkIP("172.30.8.2"), undefined);
});

test("an authority that was loaded from its files goes on issuing", async () => {
  const first = await createAuthority("test");
  const again = await loadAuthority((file) => (file === "ca.crt" ? first.certificate : first.key));
  const issued = new X509Certificate((await again.issue({ commonName: "later" })).certificate);
  assert.ok(issued.verify(new X509Certificate(first.certificate).publicKey));
});
