import assert from "node:assert/strict";
import { test } from "node:test";
import { type ModeRun, merged, pageOf, unexplained } from "#test/upstream/outcomes-page.ts";
import { exactly, isWanted, outcomeOf, type SpecReport, shortName, textOf } from "#test/upstream/specs.ts";

const spec = (
  LeafNodeText: string,
  State = "passed",
  Message?: string,
  container = "[sig-network] LoadBalancers [Feature:LoadBalancer]",
): SpecReport => ({
  ContainerHierarchyTexts: [container],
  LeafNodeText,
  LeafNodeType: "It",
  State,
  RunTime: 12_400_000_000,
  ...(Message === undefined ? {} : { Failure: { Message } }),
});

const LOCAL = "[sig-network] LoadBalancers ExternalTrafficPolicy: Local [Feature:LoadBalancer] [Slow]";
const PROXY = spec("should work for type=LoadBalancer", "skipped", "LoadBalancer uses 'Proxy' IPMode", LOCAL);

test("specs of load balancers are wanted, and no others", () => {
  const services = "[sig-network] Services";
  for (const [report, wanted] of [
    [spec("should be able to change the type and ports of a TCP service [Slow]"), true],
    [
      spec(
        "should serve endpoints on same port and different protocol for internal traffic on Type LoadBalancer",
        "",
        "",
        services,
      ),
      true,
    ],
    [
      spec("should serve endpoints on same port and different protocols [Conformance]", "", "", services),
      false,
    ],
    [{ ...spec("before the suite"), LeafNodeType: "BeforeSuite" }, false],
  ] as const)
    assert.equal(isWanted(report), wanted, textOf(report));
});

test("a spec is chosen by its text, whatever signs that has", () => {
  const text = textOf(spec("should work (for type=LoadBalancer), [LinuxOnly] e.g. a|b"));
  const pattern = new RegExp(exactly(text));
  assert.ok(pattern.test(`Kubernetes e2e suite ${text}`));
  assert.ok(!pattern.test(`Kubernetes e2e suite ${text} and more`));
  assert.equal(shortName(text), "LoadBalancers should work (for type=LoadBalancer), e.g. a|b");
});

test("an outcome has the test's words; one without a report has failed", () => {
  const failed = spec("should work", "timedout", "waited too long\n");
  const text = textOf(failed);
  assert.deepEqual(outcomeOf(text, [spec("another"), failed]), {
    ...{ spec: text, state: "failed", seconds: 12 },
    why: "waited too long",
  });
  assert.equal(outcomeOf(text, []).state, "failed");
});

const runOf = (...reports: readonly SpecReport[]): ModeRun => ({
  ...{ day: "2026-11-29", kubernetes: "v1.36.3", kernel: "Linux" },
  outcomes: reports.map((report) => outcomeOf(textOf(report), reports)),
});

test("what did not pass has its reason, or is told of", () => {
  const strange = spec("should work", "failed", "a | b");
  assert.deepEqual(unexplained("layer2", runOf(spec("should work"), PROXY).outcomes), []);
  assert.deepEqual(unexplained("layer2", runOf(strange).outcomes), [
    "layer 2, IPVS: failed: LoadBalancers should work: a | b",
  ]);
  // The same words are no excuse where kube-proxy forwards.
  assert.equal(unexplained("kubeproxy", runOf(PROXY).outcomes).length, 1);
});

test("a spec that is run again replaces what was kept of it, and nothing else", () => {
  const { outcomes: kept } = runOf(spec("b", "failed"), spec("c"));
  const { outcomes: again } = runOf(spec("b"), spec("a"));
  const states = merged(kept, again).map(({ spec: text, state }) => `${text.at(-1)} ${state}`);
  assert.deepEqual(states, ["a passed", "b passed", "c passed"]);
});

test("a page without runs says so", () => {
  assert.match(pageOf({}), /\nIt has not been run to its end yet\.\n$/);
});

test("the page has a row for each spec, a column for each mode that was run, and each reason once", () => {
  const again = { ...PROXY, LeafNodeText: "should work from pods" };
  const page = pageOf({
    layer2: runOf(spec("should change"), PROXY, again),
    bgp: runOf(spec("should change", "failed", "a | b")),
  });
  assert.match(page, /^\| spec \| layer 2, IPVS \| BGP, ECMP by ports \|$/m);
  assert.match(page, /^\| LoadBalancers should change \| passed, 12 s \| failed \(2\) \|$/m);
  assert.equal(page.match(/skipped \(1\) \| not run/g)?.length, 2);
  assert.match(page, /^2\. Not explained\. The test said: a \\\| b$/m);
  assert.match(page, /^- layer 2, IPVS: 1 of 3 passed, 2026-11-29, Kubernetes v1\.36\.3, nodes on Linux\.$/m);
});
