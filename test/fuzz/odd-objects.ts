/** Structure-aware inputs: one tenant's objects are spoiled, and nothing of another's may change by it. */

import { emptyView } from "#api/v1beta1/admission/view.ts";
import { ConnectionError } from "#common/kube/error.ts";
import { ItemSplitter } from "#common/kube/items.ts";
import { answer, parseReview, ReviewError } from "#controller/webhook/review.ts";
import type { Decoder } from "./decoders.ts";
import { FuzzFailure, type FuzzResult, generator } from "./fuzz.ts";
import { type Json, mutatedJson } from "./mutate.ts";
import { type Cluster, KINDS, type Kind, originalOf } from "./two-tenants.ts";

/** How long a Lease is left unusable, now and then: longer than its speaker's word goes on. */
const LASTING_MS = 6_000;

/** Throws FuzzFailure at the first object that costs somebody else something. `refused`: those that were left out. */
export async function fuzzObjects(
  cluster: Cluster,
  kind: Kind,
  count: number,
  seed: number,
): Promise<FuzzResult> {
  const random = generator(seed);
  const began = performance.now();
  const sound = cluster.planned();
  const original = originalOf(kind);
  let refused = 0;
  for (let at = 0; at < count; at += 1) {
    const object = mutatedJson(original, random);
    const fail = (words: string, cause?: unknown): never => {
      const text = JSON.stringify(object).slice(0, 4_000);
      throw new FuzzFailure(`${kind}: ${words}; seed ${seed}, object ${at}: ${text}`, { cause });
    };
    await cluster.put(kind, object);
    const planned = attempted(() => cluster.planned(at % 8 === 0 ? LASTING_MS : 0), fail);
    if (planned !== sound) fail(`a sound object's plan changed from ${sound} to ${planned}`);
    if (cluster.unusable().length > 0) refused += 1;
    await cluster.remove(kind, object);
    await cluster.put(kind, original);
  }
  if (cluster.planned(LASTING_MS) !== sound || cluster.unusable().length > 0)
    throw new FuzzFailure(`${kind}: not as before when all was put back; seed ${seed}`);
  const perSecond = Math.round(count / ((performance.now() - began) / 1_000));
  return { name: kind, messages: count, refused, perSecond };
}

function attempted<T>(make: () => T, fail: (words: string, cause: unknown) => never): T {
  try {
    return make();
  } catch (error) {
    return fail(`the plan fails: ${String(error)}`, error);
  }
}

const view = emptyView("genkan-system");
const reviewOf = (kind: Kind, name: string): Json => ({
  apiVersion: "admission.k8s.io/v1",
  kind: "AdmissionReview",
  request: {
    ...{ uid: "u", operation: "UPDATE", kind: { group: "genkan.dev", version: "v1beta1", kind: name } },
    object: { apiVersion: "genkan.dev/v1beta1", kind: name, ...(originalOf(kind) as Record<string, Json>) },
    oldObject: {
      apiVersion: "genkan.dev/v1beta1",
      kind: name,
      ...(originalOf(kind) as Record<string, Json>),
    },
  },
});
const REVIEWS = [
  reviewOf("addresspools", "AddressPool"),
  reviewOf("bgppeers", "BGPPeer"),
  reviewOf("bfdprofiles", "BFDProfile"),
];
const PAGE: Json = {
  kind: "ServiceList",
  metadata: { resourceVersion: "7", continue: "next" },
  items: KINDS.map(originalOf),
};

const bytesOf = (value: Json): Buffer => Buffer.from(JSON.stringify(value));
const spoiledOf =
  (values: readonly Json[]) =>
  (random: () => number): Buffer =>
    bytesOf(mutatedJson(values[random() % values.length] ?? null, random));

export const DOCUMENTS: readonly Decoder[] = [
  {
    name: "AdmissionReview",
    decode: (bytes) => answer(parseReview(bytes), view).response.allowed,
    seeds: REVIEWS.map(bytesOf),
    spoiled: spoiledOf(REVIEWS),
    error: ReviewError,
  },
  {
    name: "list page",
    decode(bytes) {
      const splitter = new ItemSplitter("test", 1_000_000);
      const half = bytes.length >> 1;
      for (const part of [bytes.subarray(0, half), bytes.subarray(half)]) [...splitter.push(part)];
      return splitter.end();
    },
    seeds: [bytesOf(PAGE)],
    spoiled: spoiledOf([PAGE]),
    error: ConnectionError,
  },
];
