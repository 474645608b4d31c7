/** Everything in this network namespace that forwarding may touch, as text, to be compared with itself. */
import { run } from "#test/network/namespace.ts";

export const kernelState = (): string =>
  [
    run("nft", "list", "ruleset"),
    run("ip", "rule"),
    run("ip", "-6", "rule"),
    run("ip", "route", "show", "table", "all"),
    run("ip", "-6", "route", "show", "table", "all"),
    run("ip", "addr"),
    run("ipvsadm", "-Sn"),
    run("sh", "-c", "cd /proc/sys/net/ipv4 && grep -H . vs/* conf/tunl0/rp_filter 2>/dev/null | sort; true"),
  ]
    .join("\n")
    // Counters of time and of packets are not state. A device that was up once shows another name for "no queue" ever
    // after.
    .replace(/qdisc (noop|noqueue)/g, "qdisc none")
    .replace(/packets \d+ bytes \d+/g, "packets")
    .replace(/(valid_lft|preferred_lft|expires) \S+/g, "$1");
