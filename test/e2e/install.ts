/** From an empty cluster to a Service that answers, and what is refused on the way. */
import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { parseAllDocuments } from "yaml";
import { ROOT } from "#hack/demo/shell.ts";
import { NAMESPACE } from "#test/e2e/installation.ts";
import { INSTANCE, until } from "#test/e2e/patience.ts";
import { type Answer, address4, ask, clientFor, e2e, known, lab, remember } from "#test/e2e/suite.ts";

/** The documents of a text of YAML. */
const documents = (text: string): object[] =>
  parseAllDocuments(text)
    .map((document) => document.toJS() as object | null)
    .filter((document) => document !== null);

e2e("everything applied at once, the last first, ends Available", async () => {
  const rendered = await lab().kubectl(["kustomize", join(ROOT, "config/default")]);
  const echo = await readFile(join(ROOT, "hack/demo/echo.yaml"), "utf8");
  const all = [...documents(rendered), ...(await lab().samples()), ...documents(echo)];
  const backwards = { apiVersion: "v1", kind: "List", items: all.reverse() };
  // What depends on a namespace or on a kind is refused until they are there: a user's tool tries again, too.
  await until(
    "the API server to take everything",
    async () => {
      await lab().apply(backwards);
      return true;
    },
    { deadlineMs: 120_000, everyMs: 1_000 },
  );
  await lab().available();
});

e2e(
  "a Service gets an address of each family and answers from pods on every node, which see the client",
  async () => {
    remember(await lab().addresses("hello", 2));
    await lab().kubectl(["rollout", "status", "deployment/hello", "--timeout=600s"]);
    for (const address of known()) {
      let answers: Answer[] = [];
      await until(
        `answers from three nodes through ${address}, all to the client itself`,
        async () => {
          const answer = await ask(address);
          // Pods of a node whose speaker the owner does not know as ready yet see the owner: it has just come.
          answers = answer.client === clientFor(address) ? [...answers, answer] : [];
          const nodes = new Set(answers.map(({ node }) => node));
          if (answers.length >= 20 && nodes.size === 3) return true;
          throw new Error(`from ${[...nodes].join(", ")}; the last saw ${answer.client}`);
        },
        { deadlineMs: 120_000, everyMs: 50 },
      );
    }
  },
);

e2e("the kernel answers no ARP for the address, its owner's speaker does", async () => {
  const owner = await lab().owner(address4());
  const ask = async (): Promise<string> =>
    lab()
      .on("router", ["arping", "-c", "3", "-w", "5", "-I", "eth0", address4()])
      .catch((error: unknown) => String(error));
  const stationsIn = (said: string) =>
    new Set([...said.matchAll(/\[([0-9A-Fa-f:]{17})\]/g)].map((match) => match[1]?.toLowerCase()));
  const said = await until("an answer", async () => {
    const words = await ask();
    return stationsIn(words).size > 0 && words;
  });
  const stations = stationsIn(said);
  const own = /link\/ether (\S+)/.exec(await lab().on(owner, ["ip", "-o", "link", "show", "eth0"]))?.[1];
  assert.deepEqual([...stations], [own], said);
});

/** Applies what has to be refused, and returns kubectl's words, once there is somebody to judge. */
async function refusalOf(object: object): Promise<string> {
  return until(
    "a refusal",
    async () => {
      const words = await lab()
        .apply(object)
        .then(
          () => "",
          (error: Error) => error.message,
        );
      if (words === "") await lab().kubectl(["delete", "-f", "-"], { input: JSON.stringify(object) });
      if (words === "" || /failed calling webhook/.test(words)) throw new Error(words || "it was admitted");
      return words;
    },
    { deadlineMs: 60_000, everyMs: 500 },
  );
}

e2e(
  "what the configuration gets wrong is refused in one line, a wrongly named LoadBalancer too",
  async () => {
    const overlapping = await refusalOf({
      apiVersion: "genkan.dev/v1beta1",
      kind: "AddressPool",
      metadata: { name: "overlapping", namespace: NAMESPACE },
      spec: { protocol: "layer2", addresses: [`172.30.${INSTANCE}.240/28`] },
    });
    const range = `172\\.30\\.${INSTANCE}\\.200-172\\.30\\.${INSTANCE}\\.250`;
    assert.match(
      overlapping,
      new RegExp(
        `spec\\.addresses\\[0\\]: 172\\.30\\.${INSTANCE}\\.240/28 overlaps ${range} of AddressPool "lab"`,
      ),
    );
    const right = async (): Promise<unknown> => {
      const { metadata } = await lab().get<{ metadata: { uid: string; generation: number } }>([
        ...["loadbalancer", "loadbalancer", "-n", NAMESPACE],
      ]);
      return [metadata.uid, metadata.generation];
    };
    const before = await right();
    const misnamed = await refusalOf({
      apiVersion: "genkan.dev/v1beta1",
      kind: "LoadBalancer",
      metadata: { name: "another", namespace: NAMESPACE },
      spec: {},
    });
    assert.match(misnamed, /metadata\.name: the only LoadBalancer is named "loadbalancer"/);
    assert.deepEqual(await right(), before);
    await lab().available();
  },
);
