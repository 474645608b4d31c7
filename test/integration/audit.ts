/** What an API server was asked, by its own audit log. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";

/** One kind of request; equal ones are one. */
export interface Asked {
  readonly user: string;
  readonly verb: string;
  readonly group: string;
  /** With its subresource: `services/status`. */
  readonly resource: string;
  readonly namespace: string;
  /** Of the object; of a list, the name that its field selector asks for. Empty if neither. */
  readonly name: string;
  readonly code: number;
}

interface Line {
  readonly user: { readonly username: string };
  /** As whom the user speaks. */
  readonly impersonatedUser?: { readonly username: string };
  readonly verb: string;
  readonly objectRef?: {
    readonly apiGroup?: string;
    readonly resource?: string;
    readonly subresource?: string;
    readonly namespace?: string;
    readonly name?: string;
  };
  readonly responseStatus?: { readonly code?: number };
}

export class Audit implements AsyncDisposable {
  readonly #directory: string;

  private constructor(directory: string) {
    this.#directory = directory;
  }

  /** A log of everything that `users` ask, in whoever's name. */
  static async create(users: readonly string[]): Promise<Audit> {
    const audit = new Audit(await mkdtemp(join(tmpdir(), "genkan-audit-")));
    const rules = [{ level: "Metadata", users }, { level: "None" }];
    const policy = { apiVersion: "audit.k8s.io/v1", kind: "Policy", omitStages: ["RequestReceived"], rules };
    await writeFile(audit.#policy, JSON.stringify(policy));
    return audit;
  }

  /** For kube-apiserver. Every answer waits until its line is in the file. */
  get flags(): string[] {
    return [
      `--audit-policy-file=${this.#policy}`,
      `--audit-log-path=${this.#log}`,
      "--audit-log-mode=blocking-strict",
    ];
  }

  async read(): Promise<Asked[]> {
    const text = await readFile(this.#log, "utf8");
    const asked = text
      .split("\n")
      .filter((line) => line !== "")
      .map((line) => askedBy(JSON.parse(line) as Line));
    return [...new Map(asked.map((one) => [JSON.stringify(one), one])).values()];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await rm(this.#directory, { recursive: true, force: true });
  }

  get #policy(): string {
    return join(this.#directory, "policy.json");
  }

  get #log(): string {
    return join(this.#directory, "audit.log");
  }
}

function askedBy({ user, impersonatedUser, verb, objectRef = {}, responseStatus }: Line): Asked {
  const { apiGroup = "", resource = "", subresource, namespace = "", name = "" } = objectRef;
  return {
    user: (impersonatedUser ?? user).username,
    verb,
    group: apiGroup,
    resource: subresource === undefined ? resource : `${resource}/${subresource}`,
    namespace,
    name,
    code: responseStatus?.code ?? 0,
  };
}
