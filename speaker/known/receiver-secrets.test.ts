import assert from "node:assert/strict";
import { test } from "node:test";
import { projectReceiverSecret } from "./receiver-secrets.ts";

const base64 = (text: string): string => Buffer.from(text, "latin1").toString("base64");
const secret = (data: object) => ({ metadata: {}, data }) as never;

test("a key of any octets, and authorities where they are given", () => {
  const key = "0123456789abcde\xff";
  assert.equal(projectReceiverSecret(secret({ key: base64(key) })).key.reveal(), key);
  assert.equal(projectReceiverSecret(secret({ key: base64(key), "ca.crt": base64("PEM") })).ca, "PEM");
});

test("a key that is missing, short or long, and authorities that are no text, are refused without a word of them", () => {
  for (const data of [
    {},
    { key: base64("secretsecret") },
    { key: base64("secretsecret".repeat(100)) },
    { key: 7 },
    { key: base64("0123456789abcdef"), "ca.crt": 7 },
  ])
    assert.throws(
      () => projectReceiverSecret(secret(data)),
      (error: Error) =>
        /data\.(key|ca\.crt) is /.test(error.message) && !error.message.includes("secretsecret"),
    );
});
