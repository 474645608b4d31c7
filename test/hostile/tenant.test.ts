/**
 * What a tenant can do to his neighbour: nothing. Whatever he writes with the rights of ClusterRole `edit` (and into
 * EndpointSlices, where somebody writes them for him), the victim's connections go on byte for byte, and his Service,
 * its entries in every node's kernel and what is told of it stay as they are.
 */
import assert from "node:assert/strict";
import { after, before, describe, test } from "node:test";
import { KubeError } from "#common/kube/error.ts";
import { leases, services } from "#common/kube/resource.ts";
import { LONG } from "#test/dataplane/ipvs-nodes.ts";
import { HostileWorld } from "#test/hostile/victim-world.ts";
import { until } from "#test/until.ts";

let world: HostileWorld;

before(async () => {
  world = await HostileWorld.start();
});
after(async () => world?.[Symbol.asyncDispose]());

/** One attack: the victim is watched while it goes on, and once it is over. */
function attack(what: string, act: () => Promise<void>): void {
  test(what, async () => {
    try {
      await act();
      await world.unharmed();
    } finally {
      await world.clear();
    }
    await world.unharmed();
  });
}

/** Neither the victim's name nor his namespace, in whatever the attacker can read about his own Service. */
async function learnsNothing(name: string): Promise<void> {
  const told = await world.told(name);
  assert.doesNotMatch(told, /default\/|\bweb\b/, told);
}

const range = (count: number): number[] => Array.from({ length: count }, (_, at) => at);

describe("a tenant", { concurrency: false }, () => {
  attack("asks for the victim's address: in each spelling, and for his node's", async () => {
    const { IPv4, IPv6 } = world.vip;
    const node = world.nodes.topology.nodes[0]?.IPv4 ?? "";
    for (const [at, address] of [IPv4, IPv6, node].entries()) {
      const families = [address.includes(":") ? ("IPv6" as const) : ("IPv4" as const)];
      const name = `asks-${at}`;
      await world.addService(name, { ipFamilies: families }, { "genkan.dev/loadBalancerIPs": address });
      await until(`${name} to be refused`, async () => (await world.told(name)) !== "", LONG);
      assert.deepEqual(await world.addresses(name), []);
      await learnsNothing(name);
    }
    await world.addService("asks-by-field", { loadBalancerIP: IPv4 });
    await until("asks-by-field to be refused", async () => (await world.told("asks-by-field")) !== "", LONG);
    assert.deepEqual(await world.addresses("asks-by-field"), []);
    await learnsNothing("asks-by-field");
  });

  attack("asks to share the victim's address, and guesses his key", async () => {
    for (const [at, key] of ["", "web", "default/web", "shared"].entries()) {
      const name = `shares-${at}`;
      await world.addService(
        name,
        { ports: [{ port: 81, protocol: "TCP" }] },
        { "genkan.dev/loadBalancerIPs": world.vip.IPv4, "genkan.dev/allow-shared-ip": key },
      );
      await until(`${name} to be refused`, async () => (await world.told(name)) !== "", LONG);
      assert.deepEqual(await world.addresses(name), []);
      await learnsNothing(name);
    }
  });

  attack("writes everything that was ever read from an annotation", async () => {
    const ids = JSON.stringify({ "IPv4/TCP/80": 1, "IPv6/TCP/80": 2 });
    await world.addService(
      "annotated",
      {},
      { "genkan.dev/forwarding-ids": ids, "genkan.dev/ip-allocated-from-pool": "none" },
    );
    await world.served("annotated", 1);
    await world.change("annotated", {
      metadata: {
        annotations: {
          "genkan.dev/forwarding-ids": ids,
          "genkan.dev/ip-allocated-from-pool": "other",
          "genkan.dev/junk": "x".repeat(200_000),
        },
        labels: { constructor: "a", toString: "b" },
      },
    });
  });

  attack("writes his own status: he may not", async () => {
    await world.addService("forger");
    await world.served("forger", 1);
    const body = { status: { loadBalancer: { ingress: [{ ip: world.vip.IPv4 }] } } };
    await assert.rejects(
      world.tenant.patch(services, {
        name: "forger",
        namespace: world.namespace,
        type: "merge",
        subresource: "status",
        body,
      }),
      (error) => error instanceof KubeError && error.code === 403,
    );
  });

  attack("claims the victim's address as an external one", async () => {
    await world.addService("external", { externalIPs: [world.vip.IPv4] });
    await world.served("external", 1);
  });

  attack("has 256 ports, and asks for more", async () => {
    const ports = range(256).map((at) => ({ name: `p${at}`, port: 1000 + at, protocol: "TCP" as const }));
    await world.addService("ports", { ports });
    await until("an answer", async () => (await world.told("ports")) !== "", LONG);
    const more = range(300).map((at) => ({ name: `p${at}`, port: 1000 + at, protocol: "TCP" as const }));
    await world.addService("too-many", { ports: more });
    await until("too-many to be refused", async () => (await world.told("too-many")) !== "", LONG);
    assert.deepEqual(await world.addresses("too-many"), []);
  });

  attack("has endpoints that no kernel takes", async () => {
    const bad: Readonly<Record<string, "IPv4" | "IPv6">> = {
      "172.30.0.255": "IPv4",
      "192.168.50.255": "IPv4",
      "255.255.255.255": "IPv4",
      "0.0.0.0": "IPv4",
      "240.0.0.1": "IPv4",
      "2001:db8::": "IPv6",
      "::ffff:10.0.0.1": "IPv6",
    };
    await world.addService("bad", { ipFamilyPolicy: "PreferDualStack" });
    for (const [address, family] of Object.entries(bad)) {
      // What the API server refuses harms nobody.
      await world.addSlice("bad", [address], { family }).catch((error: unknown) => {
        if (!(error instanceof KubeError)) throw error;
      });
    }
    await world.served("bad", 2);
    // The same nodes still take up what is sound.
    const pods = world.nodes.topology.pods.map(({ IPv4 }) => IPv4);
    await world.addService("sound");
    await world.addSlice("sound", pods);
    const [address = ""] = await world.served("sound", 1);
    for (const name of world.nodes.names()) {
      await until(
        `${name} to forward for sound`,
        async () => (await world.nodes.programmed(name)).some((line) => line.includes(`${address} `)),
        LONG,
      );
    }
  });

  attack("names the victim's pods as his endpoints, at the same port and at another", async () => {
    const pods = world.nodes.topology.pods.map(({ IPv4 }) => IPv4);
    for (const port of [8080, 22]) {
      const name = `borrows-${port}`;
      await world.addService(name, { ports: [{ port, protocol: "TCP", targetPort: port }] });
      await world.addSlice(name, pods, { port, node: "n2" });
      await world.served(name, 1);
    }
  });

  attack("names the victim's address, and nodes, as his endpoints", async () => {
    await world.addService("circle");
    const nodes = world.nodes.topology.nodes.map(({ IPv4 }) => IPv4);
    await world.addSlice("circle", [world.vip.IPv4, ...nodes], { port: 80 });
    await world.served("circle", 1);
  });

  attack("has a thousand endpoints, and none", async () => {
    await world.addService("crowd");
    await world.addSlice(
      "crowd",
      range(1000).map((at) => `10.77.${at >> 8}.${at & 255 || 1}`),
    );
    await world.served("crowd", 1);
    await world.addService("empty");
    await world.addSlice("empty", []);
    await world.served("empty", 1);
  });

  attack("changes his Service in a loop while a neighbour asks for an address", async (): Promise<void> => {
    await world.addService("loops");
    await world.served("loops", 1);
    const stop = new AbortController();
    let writes = 0;
    const loops = range(4).map(async (lane) => {
      while (!stop.signal.aborted) {
        writes += 1;
        const port = 1000 + ((writes * 7 + lane) % 5000);
        await world
          .change("loops", {
            metadata: { annotations: { "genkan.dev/loop": `${writes}` } },
            spec: { ports: [{ name: "p", port, protocol: "TCP" }] },
          })
          .catch(() => {});
      }
    });
    try {
      await until("200 writes", () => writes > 200, LONG);
      const { admin } = world;
      const neighbour = { name: "neighbour", namespace: "default" };
      await admin.create(services, {
        metadata: neighbour,
        spec: { type: "LoadBalancer", ports: [{ port: 80, protocol: "TCP" }] },
      });
      await until(
        "the neighbour's address",
        async () => {
          const found = await admin.get(services, neighbour.name, neighbour.namespace);
          return (found?.status?.loadBalancer?.ingress ?? []).length === 1;
        },
        { deadlineMs: 10_000 },
      );
      await admin.remove(services, neighbour.name, { namespace: neighbour.namespace });
      await world.unharmed();
    } finally {
      stop.abort();
      await Promise.all(loops);
    }
  });

  attack("makes and removes Services as fast as he can, with the controller away", async () => {
    await world.controller.end("SIGKILL");
    for (const at of range(60)) {
      await world.addService(`flash-${at}`, {}, { "genkan.dev/loadBalancerIPs": world.vip.IPv4 });
      if (at % 3 === 0) await world.tenant.remove(services, `flash-${at}`, { namespace: world.namespace });
    }
    await world.unharmed();
    await world.restartController();
    await until(
      "the controller to have judged them all",
      async () => (await world.told("flash-59")) !== "",
      LONG,
    );
    for (const at of [1, 2, 58, 59]) assert.deepEqual(await world.addresses(`flash-${at}`), []);
  });

  attack("makes Leases of the names that leaders and speakers have, in his namespace", async () => {
    for (const name of ["genkan-controller", "speaker-n1", "speaker-evil"]) {
      const made = world.admin.create(leases, {
        metadata: { name, namespace: world.namespace, labels: { "genkan.dev/speaker": "" } },
        spec: { holderIdentity: "mallory" },
      });
      await made;
    }
  });
});
