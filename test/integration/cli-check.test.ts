/** The very same text before kubectl (a real API server judges) and before `genkan check`: the verdicts are the same. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { genkan, KUBECTL, run } from "#test/integration/command.ts";
import { installGenkan } from "#test/integration/controller-process.ts";
import { TestPlane } from "#test/integration/plane.ts";

const pool = (spec: string, metadata = "{ name: p, namespace: genkan-system }"): string =>
  `apiVersion: genkan.dev/v1beta1\nkind: AddressPool\nmetadata: ${metadata}\nspec:\n${spec.replace(/^/gm, "  ")}\n`;
const LAYER2 = "protocol: layer2\naddresses: [10.0.0.0/24]";
const bgp = (advertisement: string): string =>
  `protocol: bgp\naddresses: [10.0.0.0/24]\nbgpAdvertisements:\n- ${advertisement}`;

/** What it is about, and the text. */
const TEXTS: Readonly<Record<string, string>> = {
  "a pool": pool(LAYER2),
  "a boolean of YAML 1.1": pool(`${LAYER2}\nautoAssign: no`),
  "a boolean in quotes": pool(`${LAYER2}\nautoAssign: "no"`),
  "a letter that is a boolean": pool(`${LAYER2}\navoidBuggyIPs: y`),
  "a label that reads as a boolean": pool(
    LAYER2,
    "{ name: p, namespace: genkan-system, labels: { a: 'yes' } }",
  ),
  "a community without quotes": pool(bgp("communities: [65000:30]")),
  "a community that reads as a time": pool(bgp("communities: [100:59]")),
  "a number in octal": pool(bgp("aggregationLength: 030")),
  "a number in hexadecimal": pool(bgp("aggregationLength: 0x20")),
  "a number with a fraction of nothing": pool(bgp("aggregationLength: 32.0")),
  "a number with a fraction": pool(bgp("aggregationLength: 31.5")),
  "an empty value": pool(`${LAYER2}\nserviceAllocation:`),
  "an empty value that must be there": pool("protocol:\naddresses: [10.0.0.0/24]"),
  "an empty list": pool(`${LAYER2}\ninterfaces: []`),
  "a field that there is not": pool(`${LAYER2}\nadresses: []`),
  "a field of a field that there is not": pool(bgp("localpref: 1")),
  "anchors and merges": `${pool("<<: &a { protocol: layer2 }\naddresses: &b [10.0.0.0/24]")}`,
  "a name in capitals": pool(LAYER2, "{ name: P, namespace: genkan-system }"),
  "no name": pool(LAYER2, "{ namespace: genkan-system }"),
  "a version that there is not": pool(LAYER2).replace("v1beta1", "v1"),
  "a kind that there is not": pool(LAYER2).replace("AddressPool", "AddressPond"),
  "no kind": pool(LAYER2).replace("kind: AddressPool\n", ""),
  "no spec": pool("").replace("spec:", "").trim(),
  "a list": `apiVersion: v1\nkind: List\nitems:\n- ${pool(LAYER2).trim().replaceAll("\n", "\n  ")}\n`,
  "two documents and empty ones": `---\n---\n${pool(LAYER2)}---\n# nothing\n---\n${pool(LAYER2.replace("10.0", "10.1")).replace("name: p", "name: q")}`,
  "a status": `${pool(LAYER2)}status: { assignedIPv4: 1 }\n`,
  JSON: JSON.stringify({
    apiVersion: "genkan.dev/v1beta1",
    kind: "AddressPool",
    metadata: { name: "p", namespace: "genkan-system" },
    spec: { protocol: "layer2", addresses: ["10.0.0.0/24"] },
  }),
};

let plane: TestPlane;
before(async () => {
  plane = await TestPlane.start();
  await installGenkan(plane);
});
after(async () => plane?.[Symbol.asyncDispose]());

for (const [about, text] of Object.entries(TEXTS)) {
  test(`the same verdict on ${about}`, async () => {
    const kubectl = ["--kubeconfig", plane.plane.kubeconfig, "create", "--dry-run=server", "-f", "-"];
    const [there, here] = await Promise.all([
      run(KUBECTL, kubectl, text),
      genkan(["check", "-f", "-"], text),
    ]);
    const words = `${text}\nkubectl: ${there.out}${there.err}\ncheck: ${here.out}${here.err}`;
    assert.equal(here.code === 0, there.code === 0, words);
  });
}
