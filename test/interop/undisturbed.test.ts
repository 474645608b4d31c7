/** What must not disturb a session with FRR, and what is done so that nothing does. */
import assert from "node:assert/strict";
import { test } from "node:test";
import { until } from "#test/until.ts";
import { Lab, plain } from "./frr-pair.ts";
import { output } from "./process.ts";
import { LINK, sessionNamed } from "./session.ts";

const TIMEOUT = { timeout: 200_000 };
const PREFIX = "gkn";

test("what keeps a session alive is of class CS6 (RFC 4594 section 3.1)", TIMEOUT, async () => {
  for (const session of [sessionNamed("frr-eBGP-IPv4-plain"), sessionNamed("frr-eBGP-IPv6-plain")]) {
    await using lab = await Lab.start(PREFIX, session);
    await lab.want([]);
    await lab.established();
    const filter = `src host ${session.device.address} and tcp port 179`;
    const text = await output(lab.topology.device, "tcpdump", "-nvlc", "3", "-i", LINK, filter);
    const classes = [...text.matchAll(/(?:tos|class) (0x[0-9a-f]+)/g)].map(([, value]) => value);
    assert.deepEqual(classes, ["0xc0", "0xc0", "0xc0"], text);
  }
});

test(
  "a probe of port 179 from the router's address costs nothing, graceful restart or not (RFC 4724 section 5)",
  TIMEOUT,
  async () => {
    const session = sessionNamed("frr-eBGP-IPv4-plain");
    for (const gracefulRestart of [true, false]) {
      await using lab = await Lab.start(PREFIX, session);
      await lab.want([plain("198.18.0.1/32")], { gracefulRestart });
      await lab.established();
      await lab.shows(["198.18.0.1/32"]);
      const before = (await lab.device.sessions())[0];
      const probe = `exec 3<>/dev/tcp/${session.device.address}/179`;
      const { messagesIn = 0 } = before ?? {};
      for (let round = 0; round < 3; round += 1) {
        await output(lab.topology.namespaceOf("frr"), "bash", "-c", probe);
      }
      // FRR is heard after the probes: the session lives on.
      await until("two KEEPALIVEs", async () => {
        return ((await lab.device.sessions())[0]?.messagesIn ?? 0) >= messagesIn + 2;
      });
      const [after] = await lab.device.sessions();
      assert.deepEqual(
        [after?.state, after?.losses, after?.lastError, after?.establishedAt],
        ["Established", 0, before?.lastError, before?.establishedAt],
      );
      assert.equal((await lab.neighbor()).connectionsDropped, 0);
    }
  },
);
