import assert from "node:assert/strict";
import { readFile } from "node:fs/promises";
import { test } from "node:test";
import { SHELL_LINKS, STAGES } from "./stages.ts";

interface DockerStage {
  copies: Record<string, string>;
  links: Record<string, string>;
  entrypoint: string[];
  environment: string[];
  user?: string;
}

/** Just enough of a Dockerfile: the targets made FROM base, and what they copy and run. */
function parse(text: string): Map<string, DockerStage> {
  const stages = new Map<string, DockerStage>();
  let current: DockerStage | undefined;
  for (const line of text.split("\n")) {
    const from = /^FROM base AS (\w+)$/.exec(line);
    if (line.startsWith("FROM ")) current = undefined;
    if (from?.[1] !== undefined) {
      current = { copies: {}, links: {}, entrypoint: [], environment: [] };
      stages.set(from[1], current);
    }
    if (current === undefined) continue;
    const copy = /^COPY --from=build \/out\/(\S+) (\S+)$/.exec(line);
    if (copy?.[1] !== undefined && copy[2] !== undefined) current.copies[copy[1]] = copy[2];
    const link = /^RUN ln -s (\S+) (\S+)$/.exec(line);
    if (link?.[1] !== undefined && link[2] !== undefined) current.links[link[2]] = link[1];
    const entrypoint = /^ENTRYPOINT (\[.*\])$/.exec(line);
    if (entrypoint?.[1] !== undefined) current.entrypoint = JSON.parse(entrypoint[1]) as string[];
    const environment = /^ENV (\S+)$/.exec(line);
    if (environment?.[1] !== undefined) current.environment.push(environment[1]);
    const user = /^USER (\S+)$/.exec(line);
    if (user?.[1] !== undefined) current.user = user[1];
  }
  return stages;
}

test("the Dockerfile and the lab's images hold the same files and run the same command", async () => {
  const docker = parse(await readFile(new URL("../../Dockerfile", import.meta.url), "utf8"));
  assert.deepEqual(
    [...docker.keys()],
    STAGES.map((stage) => stage.name),
  );
  for (const stage of STAGES) {
    const wanted = docker.get(stage.name);
    assert.deepEqual(
      {
        copies: stage.files,
        // Debian has a shell of its own.
        links: Object.fromEntries(
          Object.entries(stage.links ?? {}).filter(([place]) => SHELL_LINKS[place] === undefined),
        ),
        entrypoint: stage.entrypoint,
        environment: stage.environment,
        ...(stage.user === undefined ? {} : { user: stage.user }),
      },
      wanted,
      stage.name,
    );
  }
});
