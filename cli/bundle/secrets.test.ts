import assert from "node:assert/strict";
import { test } from "node:test";
import { withoutSecrets } from "#cli/bundle/secrets.ts";

const SECRET = "hunter2";

test("no secret is left, wherever it is written", () => {
  const objects = [
    { metadata: { name: "tor" }, spec: { peerAddress: "192.0.2.1", password: SECRET } },
    {
      metadata: {
        name: "tor",
        annotations: { "kubectl.kubernetes.io/last-applied-configuration": `{"password":"${SECRET}"}` },
        managedFields: [{ manager: "kubectl", fieldsV1: { [SECRET]: {} } }],
      },
    },
    {
      metadata: { name: "pod" },
      spec: {
        containers: [
          {
            name: "speaker",
            env: [
              { name: "HTTPS_PROXY", value: `http://user:${SECRET}@proxy.example:3128` },
              { name: "BGP_PASSWORD", value: SECRET },
              { name: "API_TOKEN", value: SECRET },
            ],
          },
        ],
      },
    },
  ];
  for (const object of objects) assert.doesNotMatch(JSON.stringify(withoutSecrets(object)), /hunter2/);
});

test("what is no secret stays as it is", () => {
  const object = {
    apiVersion: "v1",
    metadata: { name: "n1", labels: { a: "b" }, annotations: { note: "seen at http://host:80/@x" } },
    spec: {
      passwordSecret: { name: "tor" },
      env: [{ name: "NODE_NAME", valueFrom: { fieldRef: { fieldPath: "spec.nodeName" } } }],
      ports: [{ name: "https", value: 443 }],
      none: null,
    },
  };
  assert.deepEqual(withoutSecrets(object), object);
});
