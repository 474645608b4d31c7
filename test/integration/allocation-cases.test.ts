/** A sample of the cases of allocation through the real API server: real Services, the real controller's writes. */
import assert from "node:assert/strict";
import { after, before, test } from "node:test";
import { addressPools, namespaces, type Service, services } from "#common/kube/resource.ts";
import type { Draft } from "#common/kube/wire.ts";
import { SERVICE_CONDITION } from "#controller/status/plan.ts";
import {
  type AllocationCase,
  readCases,
  type ShortService,
  serviceOf,
} from "#test/cases/allocation/allocation-files.ts";
import {
  type ControllerProcess,
  SYSTEM,
  startGenkan,
  startLeader,
} from "#test/integration/controller-process.ts";
import type { TestPlane } from "#test/integration/plane.ts";
import { until } from "#test/until.ts";

const SAMPLE = 42;
const LONG = { deadlineMs: 20_000 };

const ASKED = ["delete", "add", "change", "pools", "wrong", "restart"];

/** What a case can ask of an API server: nothing of the inside of a controller. */
const canBeAsked = (one: AllocationCase): boolean =>
  one.closed.length === 0 &&
  one.class === undefined &&
  !one.together &&
  one.ignored.length === 0 &&
  // Within the moment that a configuration is given to come to rest, a pool that is back was never away.
  one.steps.filter((step) => "pools" in step).length < 2 &&
  one.steps.every((step) => ASKED.some((kind) => kind in step)) &&
  one.services.every(
    ({ has, deleting, nodePorts, class: of }) => !has && !deleting && nodePorts === undefined && !of,
  );

/** As many of each file, spread over it. */
function sample(all: readonly AllocationCase[]): AllocationCase[] {
  const able = all.filter(canBeAsked);
  const files = [...new Set(able.map(({ file }) => file))];
  const share = SAMPLE / files.length;
  return files.flatMap((file) => {
    const its = able.filter((one) => one.file === file);
    return Array.from({ length: share }, (_, at) => its[Math.floor((at * its.length) / share)]).filter(
      (one) => one !== undefined,
    );
  });
}

const chosen = sample(await readCases());
let plane: TestPlane;
let controller: ControllerProcess;

before(async () => {
  plane = await startGenkan();
  controller = await startLeader(plane, "cases");
});
after(async () => {
  await controller?.[Symbol.asyncDispose]();
  await plane?.[Symbol.asyncDispose]();
});

test(`there are ${SAMPLE} of them, of every file`, () => {
  assert.equal(chosen.length, SAMPLE);
  assert.equal(new Set(chosen.map(({ file }) => file)).size, 6, "files");
});

/** Fields that the API server fills in or that only it may set. */
function draft(short: ShortService): Draft<Service> {
  const { metadata, spec } = serviceOf(short, 0);
  const { name, namespace, annotations, labels } = metadata;
  return { metadata: { name, namespace, annotations, ...(labels && { labels }) }, spec } as Draft<Service>;
}

async function setPools(pools: AllocationCase["pools"]): Promise<void> {
  for (const { metadata } of (await plane.client.list(addressPools, { namespace: SYSTEM })).items) {
    if (pools[metadata.name] === undefined)
      await plane.client.remove(addressPools, metadata.name, { namespace: SYSTEM });
  }
  for (const [name, spec] of Object.entries(pools)) {
    const object = { metadata: { name, namespace: SYSTEM }, spec: { protocol: "layer2" as const, ...spec } };
    await plane.client.apply(addressPools, object as never, { fieldManager: "test", force: true });
  }
  // Else a Service may be told that there is no pool, by a controller that has not seen it yet.
  await until(
    "the pools to be judged",
    async () => {
      const { items } = await plane.client.list(addressPools, { namespace: SYSTEM });
      return items.every(({ metadata, status }) => status?.observedGeneration === metadata.generation);
    },
    LONG,
  );
}

async function put(short: ShortService): Promise<void> {
  await plane.client.apply(services, draft(short) as never, { fieldManager: "test", force: true });
}

async function overwrite(name: string, addresses: readonly string[]): Promise<void> {
  const { items } = await plane.client.list(services);
  const namespace = items.find(({ metadata }) => metadata.name === name)?.metadata.namespace ?? "";
  const ingress = addresses.length === 0 ? null : addresses.map((ip) => ({ ip }));
  const body = { status: { loadBalancer: { ingress } } };
  await plane.client.patch(services, { name, namespace, type: "merge", subresource: "status", body });
}

let restarts = 0;
async function restart(): Promise<void> {
  await controller.end("SIGTERM");
  restarts += 1;
  controller = await startLeader(plane, `cases-${restarts}`);
}

interface Said {
  readonly addresses: string;
  readonly refusal: string | undefined;
}

async function said(name: string): Promise<Said> {
  const { items } = await plane.client.list(services);
  const found = items.find(({ metadata }) => metadata.name === name);
  const condition = found?.status?.conditions?.find(({ type }) => type === SERVICE_CONDITION);
  return {
    addresses: (found?.status?.loadBalancer?.ingress ?? []).map(({ ip }) => ip).join(" "),
    refusal: condition && `${condition.reason}: ${condition.message}`,
  };
}

/** Something was decided about it: an address, or a word why not. */
const decided = (name: string): Promise<unknown> =>
  until(
    `${name} to be settled`,
    async () => {
      const { addresses, refusal } = await said(name);
      return addresses !== "" || refusal !== undefined;
    },
    LONG,
  );

async function clear(): Promise<void> {
  for (const { metadata, spec } of (await plane.client.list(services)).items) {
    if (spec?.type !== "LoadBalancer") continue;
    await plane.client.remove(services, metadata.name, { namespace: metadata.namespace ?? "" });
  }
  await setPools({});
}

for (const one of chosen) {
  test(`${one.file.replace(".yaml", "")}: ${one.case}`, async () => {
    await clear();
    for (const [name, labels] of Object.entries(one.namespaces)) {
      await plane.client.apply(namespaces, { metadata: { name, labels } } as never, {
        fieldManager: "test",
        force: true,
      });
    }
    await setPools(one.pools);
    for (const short of one.services) {
      await put(short);
      await decided(short.name);
    }
    for (const step of one.steps) {
      if ("delete" in step) {
        const { items } = await plane.client.list(services);
        const found = items.find(({ metadata }) => metadata.name === step.delete);
        await plane.client.remove(services, step.delete, { namespace: found?.metadata.namespace ?? "" });
      } else if ("pools" in step) await setPools(step.pools);
      else if ("add" in step) await put(step.add);
      else if ("change" in step) await put(step.change);
      else if ("wrong" in step) for (const each of Object.entries(step.wrong)) await overwrite(...each);
      else if ("restart" in step) await restart();
    }
    const expected = { ...one.gets, ...one.refused };
    for (const name of Object.keys(expected)) {
      await until(
        `${name} to be as the case says`,
        async () => {
          assert.deepEqual(await said(name), { addresses: one.gets[name] ?? "", refusal: one.refused[name] });
          return true;
        },
        LONG,
      );
    }
  });
}
