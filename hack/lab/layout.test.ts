import assert from "node:assert/strict";
import { test } from "node:test";
import { LayoutError, layoutOf, MAX_INSTANCE, nodeOf } from "#hack/lab/layout.ts";

test("instances share no name and no address", () => {
  const seen = new Map<string, number>();
  for (let instance = 0; instance <= MAX_INSTANCE; instance++) {
    const layout = layoutOf(instance);
    const node = nodeOf(layout, "node1");
    const own = [
      ...[layout.directory, layout.bridge, layout.tap, layout.routerLink, node.netns, node.link],
      ...[layout.host, layout.router, layout.gateway, layout.client, layout.podRange, node.address].flatMap(
        ({ v4, v6 }) => [v4, v6],
      ),
    ];
    for (const name of own) {
      assert.equal(seen.get(name), undefined, `${name} of ${instance} is also of ${seen.get(name)}`);
      seen.set(name, instance);
    }
  }
});

test("a node's addresses end with its number, and its link fits the kernel's 15 characters", () => {
  const node = nodeOf(layoutOf(3), "node12");
  assert.deepEqual(node.address, { v4: "172.30.3.12", v6: "fd30:3::12" });
  assert.deepEqual(node.podRange, { v4: "10.247.12.0/24", v6: "fd44:3:12::/64" });
  assert.ok(node.link.length <= 15);
});

test("bad names and numbers are refused with what was given", () => {
  const layout = layoutOf(0);
  for (const name of ["", "node", "node0", "node100", "node01", "worker1", "node1; reboot"]) {
    assert.throws(() => nodeOf(layout, name), LayoutError, name);
  }
  for (const instance of [-1, 10, 1.5, Number.NaN]) assert.throws(() => layoutOf(instance), LayoutError);
});
