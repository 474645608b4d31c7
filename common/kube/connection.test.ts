import assert from "node:assert/strict";
import { test } from "node:test";
import { stringify } from "yaml";
import { connectionFromEnvironment } from "#common/kube/connection.ts";
import { ConfigurationError } from "#common/kube/error.ts";

function filesOf(files: Record<string, string>) {
  return (path: string): string => {
    const text = files[path];
    if (text === undefined) throw new Error(`ENOENT: ${path}`);
    return text;
  };
}

const account = "/var/run/secrets/kubernetes.io/serviceaccount";
const base64 = (text: string): string => Buffer.from(text).toString("base64");

function kubeconfig(change: { cluster?: object; user?: object; top?: object } = {}): string {
  return stringify({
    "current-context": "lab",
    contexts: [{ name: "lab", context: { cluster: "c", user: "u", namespace: "ns" } }],
    clusters: [{ name: "c", cluster: { server: "https://10.0.0.1:6443", ...change.cluster } }],
    users: [{ name: "u", user: change.user ?? { token: "t" } }],
    ...change.top,
  });
}

const read = (text: string, files: Record<string, string> = {}) =>
  connectionFromEnvironment({
    env: { KUBECONFIG: "/k/config:/other" },
    readFile: filesOf({ "/k/config": text, ...files }),
  });

test("in a pod: the service account, read anew each time, IPv6 too", () => {
  const files: Record<string, string> = {
    [`${account}/ca.crt`]: "CA",
    [`${account}/token`]: "one\n",
    [`${account}/namespace`]: "genkan-system\n",
  };
  const env = { KUBERNETES_SERVICE_HOST: "fd00:96::1", KUBERNETES_SERVICE_PORT: "443" };
  const connection = connectionFromEnvironment({ env, readFile: filesOf(files) });
  assert.equal(connection.server.href, "https://[fd00:96::1]/");
  assert.equal(connection.namespace, "genkan-system");
  assert.deepEqual(connection.credentials(), { ca: "CA", token: "one" });
  files[`${account}/token`] = "two";
  assert.equal(connection.credentials().token, "two");
});

test("a kubeconfig: data in the file, files beside it, tokens from files", () => {
  const inline = read(
    kubeconfig({
      cluster: { "certificate-authority-data": base64("CA"), "tls-server-name": "kubernetes" },
      user: { "client-certificate-data": base64("CERT"), "client-key-data": base64("KEY") },
    }),
  );
  assert.equal(inline.server.host, "10.0.0.1:6443");
  assert.equal(inline.namespace, "ns");
  assert.deepEqual(inline.credentials(), {
    ca: "CA",
    certificate: "CERT",
    key: "KEY",
    serverName: "kubernetes",
  });
  const files = { "/k/pki/ca": "CA", "/run/token": "fresh\n" };
  const byFile = read(
    kubeconfig({ cluster: { "certificate-authority": "pki/ca" }, user: { tokenFile: "/run/token" } }),
    files,
  );
  assert.deepEqual(byFile.credentials(), { ca: "CA", token: "fresh" });
});

const refused: readonly [what: string, text: string, says: RegExp][] = [
  ["no current-context", kubeconfig({ top: { "current-context": "" } }), /current-context is not set/],
  ["an unknown context", kubeconfig({ top: { "current-context": "x" } }), /contexts has no "x"/],
  ["an unknown cluster", kubeconfig({ top: { clusters: [] } }), /clusters has no "c"/],
  [
    "a server that is no URL",
    kubeconfig({ cluster: { server: "10.0.0.1" } }),
    /server "10.0.0.1" of cluster "c" is no URL/,
  ],
  [
    "an exec plugin",
    kubeconfig({ user: { exec: { command: "aws" } } }),
    /user "u" uses exec, which is not supported/,
  ],
  ["no map", "- 1", /\/k\/config: a map is expected/],
];

for (const [what, text, says] of refused) {
  test(`a kubeconfig with ${what} is refused with the place`, () => {
    assert.throws(
      () => read(text),
      (error) => error instanceof ConfigurationError && says.test(error.message),
    );
  });
}

test("without a kubeconfig and outside of a pod: says what is not set", () => {
  assert.throws(
    () => connectionFromEnvironment({ env: {}, readFile: filesOf({}) }),
    (error) => error instanceof ConfigurationError && /KUBECONFIG/.test(error.message),
  );
});
