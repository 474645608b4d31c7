/** The sample of a receiver of calls about owners, and what its programs say to the clouds' own programs, played by fakes. */
import assert from "node:assert/strict";
import { execFile, spawn } from "node:child_process";
import { createHmac } from "node:crypto";
import { chmod, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { request } from "node:https";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, describe, test } from "node:test";
import { promisify } from "node:util";
import { systemRandom } from "#common/random.ts";
import { selfSigned } from "#common/self-signed.ts";
import { freePorts } from "#hack/common/ports.ts";
import { until } from "#test/until.ts";

const SAMPLE = new URL("../../config/samples/owner-receiver/", import.meta.url).pathname;
const KEY = "0123456789abcdef";
const NAME = "receiver.example";

let directory: string;
before(async () => {
  directory = await mkdtemp(join(tmpdir(), "genkan-receiver-"));
});
after(() => rm(directory, { recursive: true, force: true }));

async function program(name: string, lines: string): Promise<string> {
  const path = join(directory, name);
  await writeFile(path, `#!/bin/sh\n${lines}\n`);
  await chmod(path, 0o755);
  return path;
}

/** The receiver, whose moves are lines of a file. */
async function receiver() {
  const pair = selfSigned({ commonName: "r", dnsNames: [NAME], now: new Date(), random: systemRandom });
  const moves = join(directory, "moves");
  const [port = 0] = await freePorts(1);
  const files = { TLS_CERT: pair.cert, TLS_KEY: pair.key, KEY };
  const env: Record<string, string> = { PORT: String(port), STATE: join(directory, "owners.json") };
  for (const [name, text] of Object.entries(files)) {
    env[name] = join(directory, name);
    await writeFile(join(directory, name), text);
  }
  env.MOVE = await program("move", `[ "$2" = broken ] && exit 1\necho "$@" >>${moves}`);
  await writeFile(moves, "");
  const start = async () => {
    const child = spawn(process.execPath, [`${SAMPLE}receiver.mjs`], {
      env,
      stdio: ["ignore", "pipe", "ignore"],
    });
    let said = "";
    child.stdout.on("data", (chunk: Buffer) => {
      said += chunk;
    });
    await until("the receiver to listen", () => said.includes("listening"));
    return async (): Promise<void> => {
      const ended = new Promise((resolve) => child.once("exit", resolve));
      child.kill("SIGKILL");
      await ended;
    };
  };
  const call = (body: string, { key = KEY, at = Date.now() } = {}): Promise<number> =>
    new Promise((resolve, reject) => {
      const timestamp = String(Math.floor(at / 1_000));
      const digest = createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex");
      const headers = { "Genkan-Timestamp": timestamp, "Genkan-Signature": `sha256=${digest}` };
      const options = { method: "POST", host: "127.0.0.1", port, servername: NAME, ca: pair.cert, headers };
      request(options, (response) => {
        response.resume();
        resolve(response.statusCode ?? 0);
      })
        .on("error", reject)
        .end(body);
    });
  return { start, call, moves: async () => (await readFile(moves, "utf8")).split("\n").slice(0, -1) };
}

const body = (name: string, epoch: number, address = "198.51.100.1"): string =>
  JSON.stringify({
    version: 1,
    node: { name, addresses: { IPv4: "192.0.2.11", IPv6: "fd00::11" }, providerID: "aws:///a/i-1" },
    changes: [{ address, epoch }],
  });

test("the receiver moves what is newer, and believes nobody without the key", async () => {
  const { start, call, moves } = await receiver();
  let stop = await start();
  try {
    assert.equal(await call(body("n1", 5)), 200);
    assert.equal(await call(body("n1", 5)), 200, "told again");
    assert.equal(await call(body("n0", 4)), 200, "old: taken and dropped");
    assert.equal(await call(body("n2", 6)), 200);
    assert.equal(await call(body("n2", 6, "fd98::1")), 200);
    assert.equal(await call(body("n3", 7), { key: "another key, long" }), 401);
    assert.equal(await call(body("n3", 7), { at: Date.now() - 600_000 }), 401);
    assert.equal(await call("{"), 400);
    assert.equal(await call(body("n3", 7, "; reboot")), 400);
    assert.equal(await call(body("broken", 7)), 502);
    await stop();
    stop = await start();
    assert.equal(await call(body("n1", 5)), 200, "it remembers what is old");
    assert.equal(await call(body("n3", 7)), 200, "what failed may be tried again");
  } finally {
    await stop();
  }
  assert.deepEqual(await moves(), [
    "198.51.100.1 n1 192.0.2.11 aws:///a/i-1",
    "198.51.100.1 n2 192.0.2.11 aws:///a/i-1",
    "fd98::1 n2 fd00::11 aws:///a/i-1",
    "198.51.100.1 n3 192.0.2.11 aws:///a/i-1",
  ]);
});

describe("what is said to the programs of clouds", () => {
  /** Runs the sample's program with a fake of the cloud's, which answers by `answers`, a case of shell. */
  async function said(
    script: string,
    cloud: string,
    answers: string,
    words: string[],
    env = {},
  ): Promise<string[]> {
    const log = join(directory, `${cloud}.log`);
    await writeFile(log, "");
    await program(cloud, `echo "$*" >>${log}\ncase "$*" in ${answers} esac`);
    const path = `${directory}:${process.env.PATH}`;
    await promisify(execFile)(`${SAMPLE}${script}`, words, { env: { ...env, PATH: path } });
    return (await readFile(log, "utf8")).split("\n").slice(0, -1);
  }
  const aws = ["n1", "192.0.2.11", "aws:///eu-west-1a/i-0abc"];

  test("AWS: a route, which is made if there is none", async () => {
    const found = await said("move-aws.sh", "aws", "*replace-route*) exit 254;;", ["198.51.100.1", ...aws], {
      ROUTE_TABLE: "rtb-1",
    });
    const rest = "--route-table-id rtb-1 --destination-cidr-block 198.51.100.1/32 --instance-id i-0abc";
    assert.deepEqual(found, [`ec2 replace-route ${rest}`, `ec2 create-route ${rest}`]);
  });

  test("AWS: a secondary address, of IPv6 taken from who has it", async () => {
    const answers = "*describe-instances*) echo eni-1;; *describe-network-interfaces*) echo eni-2;;";
    const first = await said("move-aws.sh", "aws", answers, ["192.0.2.200", ...aws]);
    assert.equal(
      first.at(-1),
      "ec2 assign-private-ip-addresses --network-interface-id eni-1 --private-ip-addresses 192.0.2.200 --allow-reassignment",
    );
    const second = await said("move-aws.sh", "aws", answers, ["2001:db8::200", ...aws]);
    assert.deepEqual(second.slice(-2), [
      "ec2 unassign-ipv6-addresses --network-interface-id eni-2 --ipv6-addresses 2001:db8::200",
      "ec2 assign-ipv6-addresses --network-interface-id eni-1 --ipv6-addresses 2001:db8::200",
    ]);
  });

  test("OpenStack: the route by the node before goes, that by this node comes, others stay", async () => {
    const routes = JSON.stringify(
      {
        routes: [
          { destination: "198.51.100.1/32", nexthop: "192.0.2.12" },
          { destination: "198.51.100.2/32", nexthop: "192.0.2.13" },
        ],
      },
      undefined,
      2,
    );
    const words = ["198.51.100.1", "n1", "192.0.2.11", "openstack:///1"];
    const answers = `*show*) echo '${routes}';;`;
    const found = await said("move-openstack.sh", "openstack", answers, words, { ROUTER: "r" });
    assert.deepEqual(found.slice(1), [
      "router remove route --route destination=198.51.100.1/32,gateway=192.0.2.12 r",
      "router add route --route destination=198.51.100.1/32,gateway=192.0.2.11 r",
    ]);
    const again = await said(
      "move-openstack.sh",
      "openstack",
      answers.replace("192.0.2.12", "192.0.2.11"),
      words,
      { ROUTER: "r" },
    );
    assert.equal(again.length, 1, "it is there already");
  });
});
