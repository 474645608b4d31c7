/** `genkan explain` and `genkan plan` out of a real API server: what is foreseen is what the controller then does. */
import assert from "node:assert/strict";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { forwardingIdsOf } from "#api/forwarding-ids.ts";
import { addressPools, services } from "#common/kube/resource.ts";
import { Digest, portNumber } from "#speaker/forwarding/digest.ts";
import { CliWorld } from "#test/integration/cli-world.ts";
import { SYSTEM } from "#test/integration/controller-process.ts";
import { commandsOf, runBlock } from "#test/integration/page-commands.ts";
import { until } from "#test/until.ts";

const LONG = { deadlineMs: 60_000, everyMs: 200 };

let world: CliWorld;
let folder: string;
before(async () => {
  folder = await mkdtemp(join(tmpdir(), "genkan-cli-"));
  world = await CliWorld.start();
  for (const number of [1, 2, 3]) {
    await world.addNode(number);
    await world.speak(number);
    await world.report(number);
  }
  await world.addPool("office", { addresses: ["172.30.0.100-172.30.0.109"] });
  for (const name of ["web", "mail"]) await world.addService(name);
  await world.addEndpoints("web", { "10.244.1.1": "n1", "10.244.2.1": "n2" });
  await world.addEndpoints("mail", { "10.244.3.1": "n3" }, { "10.244.3.1": { ready: false } });
});
after(async () => {
  await world?.[Symbol.asyncDispose]();
  await rm(folder, { recursive: true, force: true });
});

async function file(name: string, spec: object): Promise<string> {
  const path = join(folder, `${name}.json`);
  const metadata = { name: "office", namespace: SYSTEM };
  await writeFile(
    path,
    JSON.stringify({ apiVersion: "genkan.dev/v1beta1", kind: "AddressPool", metadata, spec }),
  );
  return path;
}

test("explain: nothing is broken, or the first step that is", async () => {
  const web = await world.genkan(["explain", "web"]);
  assert.match(web.out, /^nothing is broken on the way to Service default\/web$/m);
  assert.equal(web.code, 0);
  const mail = await world.genkan(["explain", "default/mail"]);
  assert.match(
    mail.out,
    /^broken: nobody attracts 172\.30\.0\.\d+: no Service that has it has a usable endpoint$/m,
  );
  assert.equal(mail.code, 1);
  const none = await world.genkan(["explain", "nothing"]);
  assert.deepEqual([none.code, none.out], [3, ""]);
  assert.match(none.err, /there is no Service default\/nothing of type LoadBalancer/);
  assert.equal((await world.genkan(["explain", "web", "--from", "nowhere"])).code, 3);
});

test("explain: a node whose IPVS stays behind the others' is named, with what differs", async () => {
  const service = await world.service("web");
  const [address = ""] = (service?.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip);
  const [id = 0] = Object.values(forwardingIdsOf(service?.status?.conditions));
  assert.ok(id > 0);
  const pods = ["10.244.1.1", "10.244.2.1"];
  const say = async (number: number, of: readonly string[]): Promise<void> => {
    const digest = new Digest();
    digest.add(
      id,
      portNumber({
        ...{ id, family: "IPv4", vip: address, protocol: "TCP", port: 80, scheduler: "mh" },
        ...{ affinity: false, preferLocal: false },
        endpoints: of.map((pod) => ({
          ...{ address: pod, port: 8080, isLocal: false, isServing: true, returnPath: "direct" },
        })),
      }),
    );
    const forwarding = { mode: "IPVS", virtualServers: 1, realServers: of.length, digest: digest.text };
    await world.report(number, { forwarding });
  };
  await say(1, pods);
  await say(2, pods.slice(0, 1));
  const behind = await world.genkan(["explain", "web"]);
  assert.match(
    behind.out,
    /^broken: IPVS of n2 differs from that of n1 for 172\.30\.0\.\d+ TCP\/80: n2 does not have 10\.244\.2\.1 port 8080$/m,
  );
  assert.match(behind.out, /^ +not said yet what IPVS has: n3$/m);
  assert.equal(behind.code, 1);
  await say(2, pods);
  const well = await world.genkan(["explain", "web"]);
  assert.match(well.out, /^ok {5}entries: IPVS has the same for it on n1, n2$/m);
  assert.equal(well.code, 0);
});

test("history: where an address has been, out of what the nodes report", async () => {
  const [address = ""] = ((await world.service("web"))?.status?.loadBalancer?.ingress ?? []).map(
    ({ ip }) => ip,
  );
  const stay = { address, service: "default/web", reason: "no other node had it" };
  const [since, until] = ["2026-01-01T00:00:00Z", "2026-01-01T00:10:00Z"];
  await world.report(1, { formerAddresses: [{ ...stay, since, until }] });
  await world.report(2, {
    addresses: [{ ...stay, since: "2026-01-01T00:10:02Z", reason: "n1 said goodbye" }],
  });
  const { out, code } = await world.genkan(["history", "web"]);
  assert.equal(code, 0);
  assert.match(
    out,
    /n1 +2026-01-01T00:00:00Z +10m +- +no other node had it\n.*n2 .*, until now +2s +n1 said goodbye\n/,
  );
  assert.equal((await world.genkan(["history", "nothing"])).code, 3);
  for (const number of [1, 2]) await world.report(number, { formerAddresses: [] });
});

test("the commands of the page run", async () => {
  for (const heading of ["From the address to the pod", "Where an address has been", "Before a change"])
    for (const block of commandsOf("docs/cli.md", heading))
      await runBlock(block, { kubeconfig: world.kubeconfig });
});

test("explain --from: one pod on all nodes", async () => {
  const { out } = await world.genkan(["explain", "web", "--from", "203.0.113.7:4242"]);
  const pods = [...out.matchAll(/^ +n\d: 172\.30\.0\.100 TCP\/80 -> (\S+)$/gm)].map(([, pod]) => pod);
  assert.equal(pods.length, 3, out);
  assert.equal(new Set(pods).size, 1);
});

test("plan: nothing moves without a change", async () => {
  const { code, out } = await world.genkan(["plan"]);
  assert.equal(out, "nothing moves\n");
  assert.equal(code, 0);
});

test("plan: a drained node's addresses go where owners says that they are then", async () => {
  const [before] = (await world.json(["owners"])).addresses as { address: string; nodes: string[] }[];
  const [owner = ""] = before?.nodes ?? [];
  const { out, code } = await world.genkan(["plan", "--drain", owner]);
  assert.equal(code, 2);
  const to = /moves from n\d to (n\d)$/m.exec(out)?.[1];
  await world.speak(Number(owner.slice(1)), { isSilent: true });
  const [after] = (await world.json(["owners"])).addresses as { nodes: string[] }[];
  assert.deepEqual(after?.nodes, [to]);
  await world.speak(Number(owner.slice(1)));
});

test("plan: what the controller does with a changed pool is what was foreseen", async () => {
  const spec = { protocol: "layer2", addresses: ["172.30.0.110-172.30.0.119"] };
  const path = await file("moved", spec);
  const planned = await world.json(["plan", "-f", path]);
  const foreseen = planned.services as { service: string; given: string[]; lost: string[] }[];
  assert.equal(foreseen.length, 2);
  const applied = await world.kubectl("apply", "-f", path);
  assert.equal(applied.code, 0, applied.err);
  for (const { service, given, lost } of foreseen) {
    const name = service.split("/")[1] ?? "";
    assert.equal(lost.length, 1);
    await until(
      `${name} to have ${given.join()}`,
      async () => {
        const ingress = (await world.service(name))?.status?.loadBalancer?.ingress ?? [];
        return ingress.map(({ ip }) => ip).join() === given.join();
      },
      LONG,
    );
  }
  const again = await world.genkan(["plan", "-f", path]);
  assert.deepEqual([again.code, again.out], [0, "nothing moves\n"]);
});

test("plan: what admission refuses is said, and exit code 1", async () => {
  const path = await file("wrong", { protocol: "layer2", addresses: ["127.0.0.1-127.0.0.9"] });
  const { code, out } = await world.genkan(["plan", "-f", path]);
  assert.match(out, /^would be refused: AddressPool office: spec\.addresses\[0\]: /);
  assert.equal(code, 1);
  assert.equal((await world.genkan(["plan", "-f", join(folder, "none.json")])).code, 3);
  const { items } = await world.plane.client.list(addressPools);
  assert.equal(items.length, 1);
  assert.equal((await world.plane.client.list(services, { namespace: "default" })).items.length >= 2, true);
});
