/**
 * The API server's verdict on an object, as any client of the API reads it. For what is asked hundreds of times: kubectl
 * computes for a quarter of a second each time before it asks.
 */
import type { IncomingMessage } from "node:http";
import { Agent, request } from "node:https";
import { text } from "node:stream/consumers";
import type { Connection } from "#common/kube/connection.ts";

export type Verb = "create" | "replace" | "delete";

export interface ApiObject {
  readonly apiVersion: string;
  readonly kind: string;
  readonly metadata: { readonly name: string; readonly namespace?: string };
}

export interface Verdict {
  readonly isAdmitted: boolean;
  /** What it refuses for, in one text; "" where it admits. */
  readonly message: string;
  /** `field: message` of each cause, each once: kubectl prints a line for each. */
  readonly causes: readonly string[];
  readonly warnings: readonly string[];
}

interface Answer {
  readonly message?: string;
  readonly details?: { readonly causes?: readonly { readonly field?: string; readonly message?: string }[] };
  readonly metadata?: { readonly resourceVersion?: string };
}

const METHODS = { create: "POST", replace: "PUT", delete: "DELETE" } as const;

/** For namespaced kinds of a group, whose resources are named as is usual: the kind in lower case, and an s. */
export class Judge implements Disposable {
  readonly #connection: Connection;
  readonly #agent: Agent;

  constructor(connection: Connection) {
    const { ca, certificate: cert, key } = connection.credentials();
    this.#connection = connection;
    this.#agent = new Agent({
      keepAlive: true,
      ...(ca && { ca }),
      ...(cert && { cert }),
      ...(key && { key }),
    });
  }

  /** What a change would meet; nothing is stored. */
  async judge(verb: Verb, object: ApiObject): Promise<Verdict> {
    return this.#ask(verb, object, "?dryRun=All&fieldValidation=Ignore");
  }

  /** Changes it. */
  async write(verb: Verb, object: ApiObject): Promise<Verdict> {
    return this.#ask(verb, object, "");
  }

  async #ask(verb: Verb, object: ApiObject, query: string): Promise<Verdict> {
    const { apiVersion, kind, metadata } = object;
    const all = `/apis/${apiVersion}/namespaces/${metadata.namespace}/${kind.toLowerCase()}s`;
    const path = verb === "create" ? all : `${all}/${metadata.name}`;
    let body: object | undefined = verb === "delete" ? undefined : object;
    if (verb === "replace") {
      const [, stored] = await this.#call("GET", path);
      const { resourceVersion } = stored.metadata ?? {};
      body = { ...object, metadata: { ...metadata, resourceVersion } };
    }
    const [response, answer] = await this.#call(METHODS[verb], path + query, body);
    const causes = (answer.details?.causes ?? []).map(({ field, message }) => `${field}: ${message}`);
    const isAdmitted = (response.statusCode ?? 500) < 400;
    return {
      isAdmitted,
      message: isAdmitted ? "" : (answer.message ?? `${response.statusCode}`),
      causes: [...new Set(causes)],
      warnings: (response.headersDistinct.warning ?? []).map(textOfWarning),
    };
  }

  async #call(method: string, path: string, body?: object): Promise<[IncomingMessage, Answer]> {
    const response = await new Promise<IncomingMessage>((resolve, reject) => {
      const call = request(new URL(path, this.#connection.server), {
        method,
        agent: this.#agent,
        headers: { "Content-Type": "application/json", Accept: "application/json" },
        timeout: 30_000,
      });
      call.once("response", resolve);
      call.once("error", reject);
      call.once("timeout", () => call.destroy(new Error(`${method} ${path}: no answer`)));
      call.end(body === undefined ? undefined : JSON.stringify(body));
    });
    return [response, JSON.parse(await text(response)) as Answer];
  }

  [Symbol.dispose](): void {
    this.#agent.destroy();
  }
}

/** Of `299 - "text"` (RFC 7234 section 5.5); node gives headers octet by octet. */
function textOfWarning(header: string): string {
  const quoted = /^\d{3} \S+ "(.*)"$/s.exec(Buffer.from(header, "latin1").toString("utf8"))?.[1];
  return (quoted ?? header).replace(/\\(.)/g, "$1");
}
