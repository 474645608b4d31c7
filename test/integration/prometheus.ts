/** A Prometheus on loopback, for what it says of targets, rules and queries. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { stringify } from "yaml";
import { freePorts } from "#hack/common/ports.ts";
import { until } from "#test/until.ts";

export interface PrometheusOptions {
  /** `host:port` of what it scrapes by HTTPS, each second. */
  readonly targets: readonly string[];
  readonly token: string;
  /** What its rule file says. */
  readonly rules: unknown;
}

export class Prometheus implements AsyncDisposable {
  readonly #child: ChildProcess;
  readonly #directory: string;
  readonly #port: number;

  private constructor(child: ChildProcess, directory: string, port: number) {
    this.#child = child;
    this.#directory = directory;
    this.#port = port;
  }

  static async start({ targets, token, rules }: PrometheusOptions): Promise<Prometheus> {
    const directory = await mkdtemp(join(tmpdir(), "genkan-prometheus-"));
    const configuration = {
      global: { scrape_interval: "1s", scrape_timeout: "1s", evaluation_interval: "1s" },
      rule_files: ["rules.yaml"],
      scrape_configs: [
        {
          job_name: "genkan-metrics",
          scheme: "https",
          authorization: { credentials_file: join(directory, "token") },
          tls_config: { insecure_skip_verify: true },
          static_configs: [{ targets }],
        },
      ],
    };
    await writeFile(join(directory, "token"), token, { mode: 0o600 });
    await writeFile(join(directory, "rules.yaml"), stringify(rules));
    await writeFile(join(directory, "prometheus.yaml"), stringify(configuration));
    const [port = 0] = await freePorts(1);
    const child = spawn(
      "prometheus",
      [
        `--config.file=${join(directory, "prometheus.yaml")}`,
        `--storage.tsdb.path=${join(directory, "data")}`,
        `--web.listen-address=127.0.0.1:${port}`,
        "--log.level=warn",
      ],
      { stdio: ["ignore", "ignore", "inherit"] },
    );
    const prometheus = new Prometheus(child, directory, port);
    await until("Prometheus", () => prometheus.ask("/api/v1/status/runtimeinfo"), { deadlineMs: 30_000 });
    return prometheus;
  }

  /** `data` of an answer of its API. */
  async ask<T>(path: string): Promise<T> {
    const response = await fetch(`http://127.0.0.1:${this.#port}${path}`);
    const { status, data, error } = (await response.json()) as { status: string; data: T; error?: string };
    if (status !== "success") throw new Error(`${path}: ${error}`);
    return data;
  }

  async query(
    expression: string,
  ): Promise<readonly { metric: Record<string, string>; value: [number, string] }[]> {
    const path = `/api/v1/query?query=${encodeURIComponent(expression)}`;
    return (await this.ask<{ result: { metric: Record<string, string>; value: [number, string] }[] }>(path))
      .result;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    const ended = once(this.#child, "exit");
    if (this.#child.exitCode === null && this.#child.kill("SIGTERM")) await ended;
    await rm(this.#directory, { recursive: true });
  }
}
