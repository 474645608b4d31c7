import assert from "node:assert/strict";
import { describe, test } from "node:test";
import { ConditionType } from "#api/v1beta1/conditions.ts";
import { ChildContests, contendedMessage } from "#operator/contention.ts";
import { type Plan, planOperator } from "#operator/plan.ts";
import { statusOf } from "#operator/status.ts";
import type { ActualChild } from "#operator/view.ts";
import { balancer, settledChildren, view } from "#test/fakes/operator-view.ts";

const MIRROR = {
  manager: "kyverno",
  operation: "Update",
  fieldsV1: {
    "f:spec": {
      "f:template": { "f:spec": { "f:containers": { 'k:{"name":"speaker"}': { "f:image": {} } } } },
    },
  },
};

interface Rival {
  /** What he makes of a child whenever we wrote it. */
  readonly change: (child: ActualChild) => ActualChild;
  /** He changes what we send before it is stored: our write leaves the object at its version. */
  readonly isWebhook?: boolean;
}

const image: Rival = {
  change: (child) => {
    const object = structuredClone(child.object) as unknown as {
      spec: { template: { spec: { containers: { image: string }[] } } };
    };
    const [container] = object.spec.template.spec.containers;
    if (container !== undefined) container.image = `mirror.example/${container.image}`;
    return { ...child, object: object as never, fields: [MIRROR] };
  },
};
const addition: Rival = { change: (child) => ({ ...child, strangers: ["openshift-controller-manager"] }) };
const webhook: Rival = { change: (child) => ({ ...image.change(child), fields: [] }), isWebhook: true };

/** The operator beside a rival for `endMs`, a pass after each write, when it asked for one, and each 30 s: when it wrote. */
function fight(rival: Rival, endMs: number): { readonly times: number[]; readonly plan: Plan } {
  const contests = new ChildContests();
  const times: number[] = [];
  let version = 1;
  const settled = settledChildren();
  const stored = (changes: boolean): ActualChild[] =>
    settled.map((child) => {
      if (child.resource.kind !== "DaemonSet") return child;
      const { object, ...rest } = changes ? rival.change(child) : child;
      const metadata = { ...object.metadata, resourceVersion: String(version) };
      return { ...rest, object: { ...object, metadata } };
    });
  let plan: Plan | undefined;
  for (let now = 0; now < endMs; ) {
    const children = stored(true);
    plan = contests.damp(planOperator(view({ children })), children, now);
    for (const application of plan.apply) {
      const over = String(version);
      if (rival.isWebhook !== true) version += 2;
      times.push(now);
      contests.applied(application, { over, version: String(version) }, now);
    }
    now += plan.apply.length > 0 ? 250 : Math.min(plan.retryAfterMs ?? 30_000, 30_000);
  }
  assert.ok(plan !== undefined);
  return { times, plan };
}

describe("children that somebody else keeps rewriting", () => {
  for (const [name, rival] of [
    ["a controller", image],
    ["a mutating webhook", webhook],
  ] as const) {
    test(`${name} is answered after growing pauses, of five minutes at most`, () => {
      const { times, plan } = fight(rival, 3_600_000);
      assert.ok(times.length >= 12 && times.length < 28, `${times.length} writes in an hour`);
      const pauses = times.slice(1).map((at, index) => at - (times[index] ?? 0));
      assert.ok((pauses.at(-1) ?? 0) >= 299_000, `the last pause was ${pauses.at(-1)} ms`);
      assert.ok((plan.retryAfterMs ?? 0) > 0, "and asks for a look when the pause is over");
    });
  }

  test("what others only add is taken out a few times, and then left", () => {
    const { times, plan } = fight(addition, 3_600_000);
    assert.ok(times.length >= 3 && times.length <= 4, `${times.length} writes`);
    assert.deepEqual(plan.contended, [
      {
        what: "DaemonSet genkan-system/speaker",
        isMissing: false,
        path: undefined,
        manager: "openshift-controller-manager",
      },
    ]);
  });

  test("one condition names the manager, the object and the field; with nobody to fight it is not there", () => {
    const { plan } = fight(image, 60_000);
    const [contended] = plan.contended ?? [];
    assert.ok(contended !== undefined);
    assert.match(
      contendedMessage(contended),
      /^DaemonSet genkan-system\/speaker: field manager "kyverno" keeps/,
    );
    assert.match(contendedMessage(contended), /spec\.template\.spec\.containers\[0\]\.image/);
    const conditionIn = (present: Plan) =>
      statusOf(view(), present, balancer())?.conditions?.find(({ type }) => type === ConditionType.Contested);
    assert.deepEqual(
      [conditionIn(plan)?.status, conditionIn(plan)?.reason, conditionIn(plan)?.message],
      ["True", "ChildContested", contendedMessage(contended)],
    );
    assert.equal(conditionIn(planOperator(view())), undefined);
  });

  test("a person who edits once is answered at once; our own changes are no fight", () => {
    const contests = new ChildContests();
    const children = settledChildren();
    const edited = children.map((child) =>
      child.resource.kind === "DaemonSet" ? image.change(child) : child,
    );
    const plan = contests.damp(planOperator(view({ children: edited })), edited, 0);
    assert.equal(plan.apply.length, 1);
    for (let at = 0; at < 50; at += 1) {
      const loadBalancer = balancer({}, { imagePullSecrets: [{ name: at % 2 === 0 ? "one" : "other" }] });
      const next = contests.damp(planOperator(view({ children, loadBalancer })), children, at * 2_000);
      for (const application of next.apply) {
        contests.applied(application, { over: `${at}`, version: `${at + 1}` }, at * 2_000);
      }
      assert.deepEqual(next.contended, []);
    }
  });

  test("a view that is older than our own write asks for no second one", () => {
    const contests = new ChildContests();
    const children = settledChildren().map((child) =>
      child.resource.kind === "DaemonSet" ? image.change(child) : child,
    );
    const first = contests.damp(planOperator(view({ children })), children, 0);
    for (const application of first.apply) contests.applied(application, { over: "1", version: "2" }, 0);
    assert.equal(contests.damp(planOperator(view({ children })), children, 100).apply.length, 0);
    assert.equal(contests.damp(planOperator(view({ children })), children, 1_100).apply.length, 1);
  });
});
