/** Attributes of routes as text, by which those with equal ones are known. */
import { type Family, familyOf } from "#api/address.ts";
import type { Advertisement } from "./types.ts";

/** LOCAL_PREF to iBGP peers where nothing else is asked for: what routers take for an absent one. */
export const DEFAULT_LOCAL_PREF = 100;

/** Of one peer: equal texts, equal attributes as it hears them. */
export class AttributeTexts {
  readonly #isInternal: boolean;
  /** The text that was made last, of one that has these attributes. */
  #last: { readonly of: Advertisement; readonly family: Family; readonly text: string } | undefined;

  constructor(isInternal: boolean) {
    this.#isInternal = isInternal;
  }

  of(advertisement: Advertisement): string {
    const family = familyOf(advertisement.prefix);
    // Routes of one pool share their lists, and stand together: thousands of texts need not be made.
    if (this.#last?.family === family && hasSameAttributes(this.#last.of, advertisement))
      return this.#last.text;
    const text = this.#made(advertisement, family);
    this.#last = { of: advertisement, family, text };
    return text;
  }

  /**
   * No preference over eBGP, our AS number over eBGP alone, sets in any order. The family is in it because its next hop
   * is.
   */
  #made(advertisement: Advertisement, family: Family): string {
    const { localPref = DEFAULT_LOCAL_PREF, prepend = 0, med = "", pods = "" } = advertisement;
    const { communities, largeCommunities } = advertisement;
    const preference = this.#isInternal ? `p${localPref}` : prepend;
    return `${family}|${preference}|${med}|${pods}|${textOf(communities)}|${textOf(largeCommunities)}`;
  }
}

/** The very same lists, and equal numbers. */
const hasSameAttributes = (one: Advertisement, other: Advertisement): boolean =>
  one.communities === other.communities &&
  one.largeCommunities === other.largeCommunities &&
  one.localPref === other.localPref &&
  one.prepend === other.prepend &&
  one.pods === other.pods &&
  one.med === other.med;

/** The same for the same members, in whatever order. */
const textOf = (members: readonly unknown[]): string =>
  members.length < 2 ? members.join() : members.map(String).toSorted().join(";");
