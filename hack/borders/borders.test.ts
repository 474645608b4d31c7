import assert from "node:assert/strict";
import { test } from "node:test";
import { borrowingFaults, folderFaults, lendingFaults, sharingFaults } from "#hack/borders/folders.ts";
import { ambientFaults, lengthFaults, nameFaults, verbFaults } from "#hack/borders/names.ts";
import { circleFaults, roomFaults, shellFaults } from "#hack/borders/rooms.ts";
import { type SourceFile, sourceOf } from "#hack/borders/source.ts";

type Texts = Readonly<Record<string, string>>;

const sources = (texts: Texts): SourceFile[] =>
  Object.entries(texts).map(([path, text]) => sourceOf(path, text));

const CASES: readonly {
  readonly rule: (files: readonly SourceFile[]) => string[];
  readonly what: string;
  readonly texts: Texts;
  readonly faults: readonly string[];
}[] = [
  {
    rule: folderFaults,
    what: "a role that imports another, by alias and by path",
    texts: {
      "speaker/a.ts": 'import { x } from "#controller/x.ts";\nimport type { Y } from "../operator/y.ts";',
    },
    faults: [
      "speaker/a.ts: imports controller/x.ts; speaker/ may not import controller/",
      "speaker/a.ts: imports operator/y.ts; speaker/ may not import operator/",
    ],
  },
  {
    rule: folderFaults,
    what: "a test may import test/, its code may not",
    texts: {
      "api/a.test.ts": 'import { x } from "#test/x.ts";',
      "api/a.ts": 'export { x } from "#test/x.ts";',
      "api/b.ts": 'const x = await import("#common/x.ts");',
    },
    faults: [
      "api/a.ts: imports test/x.ts; api/ may not import test/",
      "api/b.ts: imports common/x.ts; api/ may not import common/",
    ],
  },
  {
    rule: borrowingFaults,
    what: "cli/ takes decisions of roles, and types of anything there",
    texts: {
      "cli/a.ts":
        'import { Planner } from "#speaker/plan/plan.ts";\nimport type { Speaker } from "#speaker/speaker.ts";\nimport { start } from "#speaker/speaker.ts";\nimport { Term } from "#controller/term.ts";',
    },
    faults: ["speaker/speaker.ts", "controller/term.ts"].map(
      (path) => `cli/a.ts: imports ${path}; cli/ runs of a role only what decides (BORROWED)`,
    ),
  },
  {
    rule: lendingFaults,
    what: "console/ takes what finds out, and controller/main.ts starts it",
    texts: {
      "console/a.ts":
        'import { status } from "#cli/status/command.ts";\nimport { openCluster } from "#cli/cluster.ts";\nimport type { Files } from "#cli/files.ts";',
      "controller/main.ts": 'const { run } = await import("#console/run.ts");',
      "controller/term.ts": 'import { run } from "#console/run.ts";',
    },
    faults: [
      "console/a.ts: imports cli/cluster.ts; console/ runs of cli/ only what finds out (LENT)",
      "controller/term.ts: imports console/; controller/main.ts alone starts it",
    ],
  },
  {
    rule: sharingFaults,
    what: "what one role alone uses, if by another file",
    texts: {
      "common/a.ts": 'import { b } from "#common/b.ts";',
      "common/b.ts": "",
      "common/c.ts": "",
      "cli/x.ts": 'import { a } from "#common/a.ts";\nimport { c } from "#common/c.ts";',
      "speaker/x.ts": 'import { b } from "#common/b.ts";\nimport { c } from "#common/c.ts";',
    },
    faults: ["common/a.ts: only cli uses it; it belongs there"],
  },
  {
    rule: roomFaults,
    what: "upward is what is put together of rooms, not what all of them use",
    texts: {
      "speaker/plan/plan.ts":
        'import { s } from "#speaker/speaker.ts";\nimport { c } from "#speaker/sum.ts";',
      "speaker/report/status.ts": 'import type { S } from "#speaker/speaker.ts";',
      "speaker/speaker.ts": 'import { r } from "#speaker/report/status.ts";',
      "speaker/sum.ts": 'import { c } from "#speaker/constants.ts";',
      "speaker/constants.ts": "",
    },
    faults: [
      "speaker/plan/plan.ts: imports upward: speaker/speaker.ts, which needs speaker/report/status.ts",
    ],
  },
  {
    rule: roomFaults,
    what: "a closed room takes leaves and what it is allowed",
    texts: {
      "speaker/netlink/link.ts":
        'import { a } from "#speaker/native/socket.ts";\nimport { p } from "#speaker/plan/plan.ts";\nimport { l } from "#speaker/plan/leaf.ts";\nimport { n } from "#api/names.ts";',
      "speaker/plan/plan.ts": 'import { l } from "#speaker/plan/leaf.ts";',
      "speaker/plan/leaf.ts": 'import { n } from "#api/names.ts";',
      "speaker/native/socket.ts": 'import { x } from "./x.ts";',
      "api/names.ts": 'import { x } from "./x.ts";',
    },
    faults: [
      "speaker/netlink/link.ts: imports speaker/plan/plan.ts; speaker/netlink/ imports of its folder speaker/native",
    ],
  },
  {
    rule: circleFaults,
    what: "two files, and no circle by types",
    texts: {
      "cli/a.ts": 'import { b } from "./b.ts";',
      "cli/b.ts": 'import { a } from "./a.ts";',
      "cli/c.ts": 'import { type D } from "./d.ts";',
      "cli/d.ts": 'import { c } from "./c.ts";',
    },
    faults: ["files in a circle: cli/a.ts -> cli/b.ts -> cli/a.ts"],
  },
  {
    rule: circleFaults,
    what: "two rooms whose files make none",
    texts: {
      "cli/check/a.ts": 'import { d } from "#cli/migrate/d.ts";',
      "cli/check/b.ts": 'import { leaf } from "./leaf.ts";',
      "cli/check/leaf.ts": "",
      "cli/migrate/c.ts": 'import { b } from "#cli/check/b.ts";',
      "cli/migrate/d.ts": 'import { leaf } from "#cli/check/leaf.ts";',
    },
    faults: ["rooms in a circle: cli/check -> cli/migrate -> cli/check"],
  },
  {
    rule: shellFaults,
    what: "a socket within reach of a plan, and none for what only names one",
    texts: {
      "speaker/plan/plan.ts": 'import { far } from "#speaker/far.ts";',
      "speaker/plan/other.ts": 'import type { Socket } from "node:net";\nimport { isIP } from "node:net";',
      "speaker/bgp/wire/open.ts": 'import { connect } from "node:net";',
      "speaker/far.ts": 'import { Socket } from "#speaker/native/socket.ts";',
      "speaker/bgp/session.ts": 'import { connect } from "node:net";',
    },
    faults: [
      "speaker/plan/plan.ts: decides or encodes, and reaches a shell: speaker/plan/plan.ts -> speaker/far.ts -> speaker/native/socket.ts",
      "speaker/bgp/wire/open.ts: decides or encodes, and reaches a shell: speaker/bgp/wire/open.ts -> node:net",
    ],
  },
  {
    rule: verbFaults,
    what: "a function that tells, and a variable of what was told",
    texts: {
      "speaker/a.ts": "function tellPeers() {}\n  #tell(error) {}\nconst told = 1;\nthis.#retell();",
      "common/b.ts": "const tell = (text) => text;\n// function tell(it)s all\nconst tells: Tell[] = [];",
      "test/c.ts": "function tell() {}",
    },
    faults: [
      "speaker/a.ts:1: tellPeers: name it by what it does",
      "speaker/a.ts:2: tell: name it by what it does",
      "common/b.ts:1: tell: name it by what it does",
      "common/b.ts:2: tell: name it by what it does",
    ],
  },
  {
    rule: nameFaults,
    what: "camel case, snake case, and two helpers of one name",
    texts: {
      "api/someThing.ts": "",
      "api/some_thing.ts": "",
      "api/some-thing.test.ts": "",
      "test/a/world.ts": "",
      "test/b/world.ts": "",
      "hack/world.ts": "",
      "test/a/main.ts": "",
      "test/b/main.ts": "",
    },
    faults: [
      "api/someThing.ts: names are in lower case with hyphens",
      "api/some_thing.ts: names are in lower case with hyphens",
      "one name for several helpers: test/a/world.ts, test/b/world.ts",
    ],
  },
  {
    rule: ambientFaults,
    what: "a clock in code, not in a comment, a test or main",
    texts: {
      "api/a.ts": "const now = Date.now();\n// Date.now() is a clock.\n * Date.now()",
      "api/a.test.ts": "Date.now()",
      "speaker/main.ts": "process.env",
    },
    faults: ["api/a.ts:1: Date.now comes in by an argument, not by itself"],
  },
  {
    rule: lengthFaults,
    what: "451 lines of code, and 451 of a test",
    texts: { "api/a.ts": "\n".repeat(450), "api/a.test.ts": "\n".repeat(450) },
    faults: ["api/a.ts: 451 lines, 450 at most"],
  },
];

for (const { rule, what, texts, faults } of CASES) {
  test(`${rule.name}: ${what}`, () => assert.deepEqual(rule(sources(texts)), faults));
}
