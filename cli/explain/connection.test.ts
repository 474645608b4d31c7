import assert from "node:assert/strict";
import { test } from "node:test";
import { parseClient } from "#cli/explain/client.ts";
import { choicesOf, connectionStep, otherwise } from "#cli/explain/connection.ts";
import type { ForwardedPort } from "#speaker/forwarding/types.ts";

test("a client is an address and a port, and nothing else is one", () => {
  assert.deepEqual(parseClient("203.0.113.7:4242"), { address: "203.0.113.7", port: 4242 });
  assert.deepEqual(parseClient("[2001:DB8::7]:1"), { address: "2001:db8::7", port: 1 });
  for (const text of [
    "203.0.113.7",
    "203.0.113.7:0",
    "203.0.113.7:65536",
    "2001:db8::7:1",
    "[203.0.113.7]:1",
    "a:1",
    "",
  ])
    assert.equal(parseClient(text), undefined, text);
});

const endpoint = (last: number, isLocal: boolean, isServing = true) =>
  ({ address: `10.244.0.${last}`, port: 8080, isLocal, isServing, returnPath: "direct" }) as const;

const port = (changes: Partial<ForwardedPort> = {}): ForwardedPort => ({
  id: 7,
  family: "IPv4",
  vip: "192.0.2.1",
  protocol: "TCP",
  port: 80,
  scheduler: "mh",
  affinity: false,
  preferLocal: false,
  endpoints: [1, 2, 3].map((last) => endpoint(last, last === 1)),
  ...changes,
});
const CLIENT = { address: "203.0.113.7", port: 4242 };
const choose = (changes: Partial<ForwardedPort>, client = CLIENT) =>
  choicesOf(client, new Map([["n1", [port(changes)]]])).map(({ pod, why }) => pod ?? why);

test("where no pod is chosen it is said why", () => {
  assert.deepEqual(choose({ sourceRanges: ["10.0.0.0/8"] }), [
    "loadBalancerSourceRanges does not admit the client",
  ]);
  assert.deepEqual(choose({ endpoints: [] }), ["it has no usable endpoint: refused"]);
  assert.deepEqual(choose({ endpoints: [endpoint(1, true, false)] }), ["no endpoint takes new connections"]);
  assert.deepEqual(choose({ scheduler: "rr" }), ["the scheduler rr does not decide by the client"]);
  assert.deepEqual(choose({}, { address: "2001:db8::1", port: 1 }), []);
});

test("a pod that drains gets nothing; with Local it is a pod of the node; with affinity the port is no matter", () => {
  const draining = choose({ endpoints: [endpoint(1, true), endpoint(2, false, false)] });
  assert.deepEqual(draining, ["10.244.0.1:8080"]);
  for (let from = 1; from < 50; from += 1) {
    assert.deepEqual(choose({ preferLocal: true }, { ...CLIENT, port: from }), ["10.244.0.1:8080"]);
  }
  const ports = [1, 2, 3, 4, 5, 6, 7, 8, 9].map((from) => ({ ...CLIENT, port: from }));
  assert.equal(new Set(ports.flatMap((client) => choose({ affinity: true }, client))).size, 1);
  assert.equal(new Set(ports.flatMap((client) => choose({}, client))).size, 3);
});

test("if its pod left, or the node of it died: another one, by the table without them, told once for all nodes", () => {
  const nodeOf = (address: string): string => (address === "10.244.0.3" ? "" : "n2");
  const forwarded = new Map(["n1", "n2", "n3"].map((node) => [node, [port()]]));
  const choices = choicesOf(CLIENT, forwarded);
  const changes = otherwise(CLIENT, forwarded, nodeOf);
  const picked = choices[0]?.address ?? "";
  const others = [1, 2, 3].map((last) => `10.244.0.${last}`).filter((address) => address !== picked);
  const [left, died] = changes;
  assert.equal(left?.event, `if ${picked} left`);
  assert.deepEqual(
    left?.choices.map(({ pod }) => pod),
    choose({ endpoints: others.map((address) => endpoint(Number(address.slice(-1)), false)) }).flatMap(
      (pod) => Array(3).fill(pod),
    ),
  );
  if (nodeOf(picked) === "") assert.equal(died, undefined);
  else
    assert.deepEqual(
      [died?.event, died?.choices.map(({ node, pod }) => [node, pod])],
      [
        "if n2, its node, died",
        [
          ["n1", "10.244.0.3:8080"],
          ["n3", "10.244.0.3:8080"],
        ],
      ],
    );
  const { details } = connectionStep(CLIENT, choices, changes);
  assert.equal(details.length, 3 + changes.length);
});
