import assert from "node:assert/strict";
import { test } from "node:test";
import { Store } from "#common/kube/store.ts";
import { service, slice } from "#test/fakes/speaker-view.ts";
import { ChangedServices } from "./changed-services.ts";
import type { ServiceView, SliceView } from "./view.ts";

test("a Service is to be looked at again when it, or a slice of it, came, changed, moved or went; once", () => {
  const [services, slices] = [new Store<ServiceView>(), new Store<SliceView>()];
  const changed = new ChangedServices(services, slices);
  const steps: readonly [step: () => unknown, changed: readonly string[]][] = [
    [() => services.set("a/web", service({ key: "a/web" })), ["a/web"]],
    [() => undefined, []],
    [() => slices.set("a/web-1", slice([], { service: "a/web" })), ["a/web"]],
    [() => slices.set("a/web-1", slice([], { service: "a/other" })), ["a/web", "a/other"]],
    [() => slices.delete("a/web-1"), ["a/other"]],
    [() => slices.delete("a/web-1"), []],
    [() => services.delete("a/web"), ["a/web"]],
  ];
  for (const [step, expected] of steps) {
    step();
    assert.deepEqual([...changed.take()], expected);
  }
});
