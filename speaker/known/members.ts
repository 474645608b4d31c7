/** What the speakers write about themselves in their Leases. Each text is read once. */
import { parseState } from "./project.ts";
import type { Members, SpeakerState } from "./view.ts";

/** What membership.ts gives: who is alive, and each node's text. */
export interface Said {
  readonly live: readonly string[];
  readonly dead: readonly string[];
  readonly states: ReadonlyMap<string, string>;
}

interface Read {
  readonly text: string;
  readonly state: SpeakerState | undefined;
}

export class MemberStates {
  #read = new Map<string, Read>();
  #own: { readonly text: string; readonly state: SpeakerState } | undefined;

  /** A state is the same object as before while its text is the same. `own` stands for what this node has published. */
  members({ live, dead, states: texts }: Said, node: string, own: SpeakerState): Members {
    const read = new Map<string, Read>();
    const states = new Map<string, SpeakerState>();
    for (const [name, text] of texts) {
      const before = this.#read.get(name);
      const one = before?.text === text ? before : { text, state: parseState(text) };
      read.set(name, one);
      if (one.state !== undefined) states.set(name, one.state);
    }
    this.#read = read;
    const text = JSON.stringify(own);
    if (this.#own?.text !== text) this.#own = { text, state: own };
    states.set(node, this.#own.state);
    return { live, dead, states };
  }
}
