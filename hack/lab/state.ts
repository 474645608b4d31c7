/** What a lab remembers between two commands, in .lab/<instance>/state.json: written before a thing is made. */
import { mkdir, readFile, rename, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { KernelIdentity } from "#hack/guest/kernel.ts";
import type { ProcessRecord } from "#hack/lab/daemon.ts";
import type { Layout } from "#hack/lab/layout.ts";

export interface LabState {
  /** "up" when everything stood once. */
  readonly phase: "starting" | "up";
  readonly forwarding: "IPVS" | "KubeProxy";
  readonly isControlPlaneOnly: boolean;
  readonly carrier: "host" | "guest";
  /** Why there. */
  readonly reason: string;
  /** Of the guest; absent until it is up and where there is none. */
  readonly kernel?: KernelIdentity;
  readonly nodes: readonly string[];
  readonly processes: readonly ProcessRecord[];
  /** Identities of the image archives that a node has from its start, and of those that all nodes have. */
  readonly seeded: readonly string[];
  readonly loaded: readonly string[];
}

/** The lab is not in the state that the command needs. */
export class LabError extends Error {
  readonly code = "LAB_STATE";
}

/** undefined where there is no lab, or nothing readable of one. */
export async function readState(layout: Layout): Promise<LabState | undefined> {
  const text = await readFile(pathOf(layout), "utf8").catch(() => undefined);
  if (text === undefined) return undefined;
  try {
    return JSON.parse(text) as LabState;
  } catch {
    // Cut off while it was written: what it would have said is found by name.
    return undefined;
  }
}

/** The state of a running command: each change is on disk before the next step. */
export class StateFile {
  readonly #layout: Layout;
  #state: LabState;
  #written: Promise<void> = Promise.resolve();

  constructor(layout: Layout, state: LabState) {
    this.#layout = layout;
    this.#state = state;
  }

  get value(): LabState {
    return this.#state;
  }

  update(change: Partial<LabState>): Promise<void> {
    this.#state = { ...this.#state, ...change };
    const text = `${JSON.stringify(this.#state, undefined, 2)}\n`;
    this.#written = this.#written.then(() => this.#write(text));
    return this.#written;
  }

  addProcess(record: ProcessRecord): Promise<void> {
    return this.update({ processes: [...this.#state.processes, record] });
  }

  async #write(text: string): Promise<void> {
    await mkdir(this.#layout.directory, { recursive: true });
    const path = pathOf(this.#layout);
    await writeFile(`${path}.new`, text);
    await rename(`${path}.new`, path);
  }
}

function pathOf(layout: Layout): string {
  return join(layout.directory, "state.json");
}
