/**
 * The whole of it on a real cluster: what a user does and sees, from an empty cluster to an empty cluster. One lab for
 * all; the cases build on each other in their order.
 */
import { after, before } from "node:test";
import { bringUp, takeDown } from "#test/e2e/suite.ts";

before(() => bringUp());
after(takeDown);

await import("#test/e2e/install.ts");
await import("#test/e2e/outages.ts");
await import("#test/e2e/changes.ts");
