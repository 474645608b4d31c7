/**
 * Links that speakers have published, those that are down now, too: a node that comes back from a cut announces by a link
 * that its last word does not have yet, and is no foreign station for it.
 */
import type { SpeakerLink, SpeakerState } from "./view.ts";

/** Of each node; the latest ones stay. */
const MOST = 64;

export class FormerLinks {
  readonly #links = new Map<string, Map<string, SpeakerLink>>();

  /** The states with all links that these nodes ever had. A node that is not among them is forgotten. */
  within(states: ReadonlyMap<string, SpeakerState>): Map<string, SpeakerState> {
    for (const node of this.#links.keys()) if (!states.has(node)) this.#links.delete(node);
    return new Map([...states].map(([node, state]) => [node, { ...state, links: this.#with(node, state) }]));
  }

  #with(node: string, { links }: SpeakerState): SpeakerLink[] {
    const known = this.#links.get(node) ?? new Map<string, SpeakerLink>();
    this.#links.set(node, known);
    for (const link of links) {
      known.delete(link.name);
      known.set(link.name, link);
    }
    for (const name of known.keys()) {
      if (known.size <= MOST) break;
      known.delete(name);
    }
    return [...known.values()];
  }
}
