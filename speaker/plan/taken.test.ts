/** Services that let kube-proxy take an address of ours, and what is said of it. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { FORWARDING_CONDITION } from "#api/forwarding-ids.ts";
import type { Service } from "#common/kube/resource.ts";
import { Takers, takingsOf } from "../known/takers.ts";
import { TakenPorts } from "./taken.ts";

const service = (name: string, spec: object, more: object = {}): Service =>
  ({ metadata: { name, namespace: "team-a" }, spec: { ports: [{ port: 80 }], ...spec }, ...more }) as Service;
const places = (one: Service): string[] => takingsOf(one).map(({ place }) => place);
const status = (ingress: readonly object[], conditions: readonly object[] = []) => ({
  status: { loadBalancer: { ingress }, conditions },
});

test("external addresses are taken, in one spelling, with every port", () => {
  const ports = [{ port: 80 }, { port: 53, protocol: "UDP" }];
  const taken = places(service("web", { externalIPs: ["192.0.2.1", "2001:DB8::0:1", "nonsense"], ports }));
  assert.deepEqual(taken, [
    "192.0.2.1 TCP/80",
    "192.0.2.1 UDP/53",
    "2001:db8::1 TCP/80",
    "2001:db8::1 UDP/53",
  ]);
});

test("so are addresses in a status without ipMode Proxy, but for those of Services of ours", () => {
  const type = "LoadBalancer";
  assert.deepEqual(places(service("web", { type }, status([{ ip: "192.0.2.1" }]))), ["192.0.2.1 TCP/80"]);
  assert.deepEqual(places(service("web", { type }, status([{ ip: "192.0.2.1", ipMode: "Proxy" }]))), []);
  assert.deepEqual(
    places(service("web", { type }, status([{ ip: "192.0.2.1" }], [{ type: FORWARDING_CONDITION }]))),
    [],
  );
  assert.deepEqual(places(service("web", { type: "ClusterIP" }, status([{ ip: "192.0.2.1" }]))), []);
});

test("kube-proxy takes nothing for Services that it leaves alone", () => {
  const externalIPs = ["192.0.2.1"];
  for (const spec of [{ clusterIP: "None" }, { type: "ExternalName" }, { externalIPs: "192.0.2.1" }])
    assert.deepEqual(places(service("web", { externalIPs, ...spec })), []);
  const labelled = service("web", { externalIPs });
  labelled.metadata.labels = { "service.kubernetes.io/service-proxy-name": "other" };
  assert.deepEqual(places(labelled), []);
});

test("who holds the port is told, by an event only where that says nothing of another namespace", () => {
  const takers = new Takers(() => undefined);
  const taken = new TakenPorts();
  const holders = new Map([["192.0.2.1 TCP/80", "team-a/shop"]]);
  const holding = { revision: 1, holderOf: (place: string) => holders.get(place) };
  assert.deepEqual(taken.leftOut(takers, holding), []);
  takers.see(service("thief", { externalIPs: ["192.0.2.1"] }));
  const [own] = taken.leftOut(takers, holding);
  assert.deepEqual(own?.services, ["team-a/shop"]);
  assert.match(
    own?.message ?? "",
    /takes 192\.0\.2\.1 TCP\/80 of Service team-a\/shop .* Service team-a\/thief .*externalIPs/,
  );
  holders.set("192.0.2.1 TCP/80", "team-b/shop");
  assert.deepEqual(taken.leftOut(takers, { ...holding, revision: 2 })[0]?.services, []);
  takers.forget("team-a/thief");
  assert.deepEqual(taken.leftOut(takers, { ...holding, revision: 2 }), []);
});

test("nothing is worked out again while neither side changes, and a Service that stays as it is wakes nobody", () => {
  let woken = 0;
  const takers = new Takers(() => void woken++);
  const taken = new TakenPorts();
  let asked = 0;
  const holding = { revision: 1, holderOf: () => void asked++ };
  for (let at = 0; at < 3; at += 1) {
    takers.see(service("thief", { externalIPs: ["192.0.2.1"] }));
    taken.leftOut(takers, holding);
  }
  takers.see(service("quiet", {}));
  assert.deepEqual([woken, asked], [1, 1]);
});
