/** Names of communities, which ours has not: they are replaced by what they stand for. */
import { parseCommunity } from "#api/community.ts";
import { inText, isMap, listOf, type Notes, type Source } from "#cli/migrate/source.ts";

export class Aliases {
  readonly #notes: Notes;
  readonly #values = new Map<string, { readonly value: string; readonly source: Source; isUsed: boolean }>();

  constructor(communities: readonly Source[], notes: Notes) {
    this.#notes = notes;
    for (const source of communities) {
      for (const entry of listOf(source.spec, "communities")) {
        if (!isMap(entry)) continue;
        const { name, value } = entry;
        if (typeof name !== "string" || typeof value !== "string") continue;
        if (this.#values.has(name)) notes.add(source, `alias "${name}" is there twice: the first one counts`);
        else this.#values.set(name, { value, source, isUsed: false });
      }
    }
  }

  /** The communities that `texts` mean, none of them twice; a note for each that means none. */
  resolve(texts: readonly unknown[], source: Source): string[] {
    const found = texts.map(inText).flatMap((text) => {
      const value = this.#meant(text);
      if (value !== undefined && parseCommunity(value) !== undefined) return [value];
      const why = value === undefined ? `there is no alias "${text}"` : `"${value}" is not a community`;
      this.#notes.add(source, `spec.communities: "${text}" is not carried over: ${why}`);
      return [];
    });
    const seen = new Map(found.map((text) => [JSON.stringify(parseCommunity(text)), text]));
    return [...seen.values()];
  }

  /** At the end: what nobody asked for. */
  noteUnused(): void {
    for (const [name, { value, source, isUsed }] of this.#values) {
      if (isUsed) continue;
      this.#notes.add(source, `alias "${name}" (${value}) is not carried over: nothing uses it`);
    }
  }

  #meant(text: string): string | undefined {
    const alias = this.#values.get(text);
    if (alias === undefined) return parseCommunity(text) === undefined ? undefined : text;
    alias.isUsed = true;
    return alias.value;
  }
}
