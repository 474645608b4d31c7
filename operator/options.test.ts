import assert from "node:assert/strict";
import { test } from "node:test";
import { OptionError, readOptions } from "#operator/options.ts";

const env = { CONTROLLER_IMAGE: "c", SPEAKER_IMAGE: "s" };

test("network policies are made unless they are switched off in words", () => {
  assert.equal(readOptions(env).site.networkPolicy, "Enabled");
  assert.equal(readOptions({ ...env, NETWORK_POLICY: "Disabled" }).site.networkPolicy, "Disabled");
  assert.throws(() => readOptions({ ...env, NETWORK_POLICY: "off" }), OptionError);
});
