/** A controller that serves the console, and requests to it as `kubectl port-forward` passes them on. */
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { type IncomingHttpHeaders, request } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { bundlePage } from "#hack/images/page.ts";
import { ControllerProcess } from "#test/integration/controller-process.ts";
import { until } from "#test/until.ts";

interface Asked {
  readonly token?: string | undefined;
  readonly host?: string;
  readonly method?: string;
}

interface Reply {
  readonly code: number;
  readonly body: string;
  readonly headers: IncomingHttpHeaders;
}

export class ConsoleProcess implements AsyncDisposable {
  readonly port: number;
  readonly #controller: ControllerProcess;
  readonly #directory: string;

  private constructor(controller: ControllerProcess, directory: string, port: number) {
    this.#controller = controller;
    this.#directory = directory;
    this.port = port;
  }

  /** Bundles the page, too. */
  static async start({ kubeconfig }: { readonly kubeconfig: string }): Promise<ConsoleProcess> {
    const directory = await mkdtemp(join(tmpdir(), "genkan-console-"));
    await bundlePage(directory);
    const controller = new ControllerProcess("console", kubeconfig, {
      CONSOLE_ACCESS: "Loopback",
      CONSOLE_PORT: "0",
      CONSOLE_DIRECTORY: directory,
    });
    const port = await until("the console to be served", () => {
      const record = controller.logs.find(({ msg }) => msg === "the console is served");
      return Number(record?.port) || undefined;
    });
    return new ConsoleProcess(controller, directory, port);
  }

  ask(path: string, { token, host, method = "GET" }: Asked = {}): Promise<Reply> {
    const headers = {
      ...(token !== undefined && { authorization: `Bearer ${token}` }),
      ...(host !== undefined && { host }),
    };
    return new Promise((resolve, reject) => {
      request(
        { host: "127.0.0.1", port: this.port, path, method, headers, agent: false },
        async (response) => {
          let body = "";
          for await (const chunk of response) body += String(chunk);
          resolve({ code: response.statusCode ?? 0, body, headers: response.headers });
        },
      )
        .on("error", reject)
        .end();
    });
  }

  /** The answer's JSON; an error unless it is 200. */
  async json(path: string, token: string): Promise<Readonly<Record<string, unknown>>> {
    const { code, body } = await this.ask(path, { token });
    if (code !== 200) throw new Error(`${path}: ${code}: ${body}`);
    return JSON.parse(body);
  }

  /** IPv4 addresses at which anybody listens on the port; of IPv6 the word itself. */
  async listening(): Promise<readonly string[]> {
    const port = this.port.toString(16).toUpperCase().padStart(4, "0");
    const linesOf = async (file: string): Promise<string[]> =>
      (await readFile(`/proc/net/${file}`, "utf8"))
        .split("\n")
        .map((line) => line.trim().split(/\s+/))
        .filter(([, local = "", , state]) => state === "0A" && local.endsWith(`:${port}`))
        .map(([, local = ""]) => local.split(":")[0] ?? "");
    const dotted = (hex: string): string =>
      (hex.match(/../g) ?? [])
        .reverse()
        .map((byte) => Number.parseInt(byte, 16))
        .join(".");
    return [...(await linesOf("tcp")).map(dotted), ...(await linesOf("tcp6")).map(() => "IPv6")];
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.#controller[Symbol.asyncDispose]();
    await rm(this.#directory, { recursive: true, force: true });
  }
}
