/** Pools that hold addresses of Nodes or of the cluster's Service range: the controller gives none of them. */
import assert from "node:assert/strict";
import { after, afterEach, before, beforeEach, test } from "node:test";
import { nodes, serviceCIDRs } from "#common/kube/resource.ts";
import { ControllerWorld, ipsOf, LONG } from "#test/integration/controller-world.ts";
import { until } from "#test/until.ts";

let world: ControllerWorld;
before(async () => {
  world = await ControllerWorld.start();
});
after(() => world?.[Symbol.asyncDispose]());
beforeEach(() => world.begin());
afterEach(() => world.clear());

const addressOf = (name: string): Promise<string | undefined> =>
  until(`${name} to have an address`, async () => ipsOf(await world.service(name))[0], LONG);

const refusalOf = (name: string): Promise<string> =>
  until(
    `${name} to be refused`,
    async () => {
      const { status } = await world.service(name);
      const condition = status?.conditions?.find(({ type }) => type === "genkan.dev/AddressAllocated");
      return condition && `${condition.reason}: ${condition.message}`;
    },
    LONG,
  );

test("a Node that comes up with an address of a pool: it is passed over, and refused to who asks", async () => {
  await world.addPool("rack", ["172.25.0.1-172.25.0.3"]);
  await world.addService("first");
  assert.equal(await addressOf("first"), "172.25.0.1");
  await world.client.create(nodes, { metadata: { name: "pooled" }, spec: {} });
  const addresses = ["172.25.0.1", "172.25.0.2"].map((address) => ({ type: "InternalIP", address }));
  const status = { addresses: [...addresses, { type: "Hostname", address: "pooled" }] };
  await world.client.patch(nodes, { name: "pooled", subresource: "status", type: "merge", body: { status } });
  await until(
    "the pool to count what is left",
    async () => {
      return (await world.pool("rack"))?.status?.availableIPv4 === 1;
    },
    LONG,
  );
  await world.addService("asks", { loadBalancerIP: "172.25.0.2" });
  assert.match(await refusalOf("asks"), /^AddressReserved: .*172\.25\.0\.2 refused: .*a Node's own address$/);
  await world.addService("second");
  assert.equal(await addressOf("second"), "172.25.0.3");
  // Held before the Node said so.
  assert.equal(await addressOf("first"), "172.25.0.1");
  await world.client.remove(nodes, "pooled");
});

test("the cluster's Service range is given to nobody", async () => {
  const { items } = await world.client.list(serviceCIDRs);
  const cidr = items.flatMap(({ spec }) => spec?.cidrs ?? []).find((text) => text.includes("."));
  assert.ok(cidr !== undefined, "the API server has a ServiceCIDR");
  await world.addPool("services", [cidr]);
  const [base = ""] = cidr.split("/");
  await world.addService("asks", { loadBalancerIP: base.replace(/\d+$/, "77") });
  assert.match(await refusalOf("asks"), /^AddressReserved: .*it is in the cluster's Service range$/);
});
