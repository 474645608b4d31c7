/**
 * Who looks at the console, by the bearer token that comes with each request: the API server says whose it is and which
 * kinds he may list, kind by kind, and Gate paces and bounds the questions. Of a token its SHA-256 alone is kept.
 */
import { createHash } from "node:crypto";
import { type Admission, Gate } from "#common/access/gate.ts";
import { mayDo, userOf } from "#common/access/review.ts";
import type { Clock } from "#common/clock.ts";
import type { KubeClient } from "#common/kube/client.ts";
import type { Logger } from "#common/log.ts";
import { deedOf, KINDS, type Kind } from "#console/kinds.ts";

export interface Visitor {
  readonly name: string;
  /** Kinds that he may list. */
  readonly may: ReadonlySet<Kind>;
}

export interface VisitorsOptions {
  readonly clock: Clock;
  readonly log: Logger;
  readonly client: Pick<KubeClient, "create">;
  /** In which Genkan is installed. */
  readonly namespace: string;
}

/** More than Gate keeps answers of. */
const MOST = 128;

export class Visitors {
  readonly #options: VisitorsOptions;
  readonly #gate: Gate;
  readonly #known = new Map<string, Visitor>();

  constructor(options: VisitorsOptions) {
    this.#options = options;
    const { clock, log } = options;
    this.#gate = new Gate({
      clock,
      log,
      purpose: "see the console",
      judge: async (token) => {
        const visitor = await this.#ask(token);
        if (visitor === undefined) return "unknown";
        this.#keep(keyOf(token), visitor);
        return visitor.may.size > 0 ? "allowed" : "forbidden";
      },
    });
  }

  /** `address`: where the request came from. The visitor, or why there is none. Never rejects. */
  async admit(token: string | undefined, address: string): Promise<Visitor | Exclude<Admission, "allowed">> {
    const verdict = await this.#gate.admit(token, address);
    if (verdict !== "allowed") return verdict;
    return this.#known.get(keyOf(token ?? "")) ?? "busy";
  }

  async #ask(token: string): Promise<Visitor | undefined> {
    const { client, namespace } = this.#options;
    const user = await userOf(client, token);
    if (user === undefined) return undefined;
    const verdicts = await Promise.all(KINDS.map((kind) => mayDo(client, user, deedOf(kind, namespace))));
    return { name: user.username, may: new Set(KINDS.filter((_, at) => verdicts[at] === true)) };
  }

  #keep(key: string, visitor: Visitor): void {
    this.#known.delete(key);
    this.#known.set(key, visitor);
    const [oldest] = this.#known.keys();
    if (this.#known.size > MOST && oldest !== undefined) this.#known.delete(oldest);
  }
}

const keyOf = (token: string): string => createHash("sha256").update(token).digest("base64");
