/** What an audit has found not to be as wanted, and no pass knows of yet. */
import type { Contents } from "#speaker/forwarding/contents.ts";
import { Entries } from "#speaker/forwarding/entries.ts";
import type { ServerKey } from "#speaker/forwarding/server-key.ts";

export class Findings {
  readonly entries = new Entries();
  readonly #isUnsettled: Contents["isUnsettled"];

  constructor({ isUnsettled }: Pick<Contents, "isUnsettled">) {
    this.#isUnsettled = isUnsettled;
  }

  server(key: ServerKey): void {
    if (!this.#isUnsettled(({ servers }) => servers.has(key))) this.entries.servers.add(key);
  }

  element(set: string, key: string): void {
    if (!this.#isUnsettled(({ elements }) => elements.get(set)?.has(key) === true))
      this.entries.addElement(set, key);
  }

  route(vip: string): void {
    if (!this.#isUnsettled(({ routes }) => routes.has(vip))) this.entries.routes.add(vip);
  }
}
