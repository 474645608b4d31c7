/** Runs sessions of the matrix through: brings them up, compares what routers show, restarts the device under test. */
import { mkdirSync, rmSync } from "node:fs";
import { join } from "node:path";
import { isDeepStrictEqual } from "node:util";
import { FAMILIES } from "#api/address.ts";
import { DeadlineError, until } from "#test/until.ts";
import { Topology } from "../network/routers.ts";
import { Device, type Wanted } from "./bgp-device.ts";
import { Bird } from "./bird.ts";
import { allExpected, expectedRoutes, FEATURES, type Feature, isExcluded, sorted } from "./cells.ts";
import { Exabgp } from "./exabgp.ts";
import { Frr } from "./frr.ts";
import { Gobgp } from "./gobgp.ts";
import type { Route } from "./route.ts";
import { type Router, type RouterOptions, workDirectory } from "./router.ts";
import { numberOf, type RouterKind, type Session } from "./session.ts";

export interface Cell {
  /** "frr-eBGP-IPv4-md5 communities" */
  readonly name: string;
  readonly session: Session;
  readonly feature: Feature;
  /** undefined: as it must be; otherwise what was seen instead. */
  readonly fault?: string;
}

const START: Readonly<Record<RouterKind, (options: RouterOptions) => Promise<Router>>> = {
  frr: (options) => Frr.start(options),
  bird: (options) => Bird.start({ ...options, routerNumber: numberOf("bird") }),
  gobgp: (options) => Gobgp.start(options),
  exabgp: (options) => Exabgp.start(options),
};

/** Routes by the name of the session that they came by. */
type Tables = ReadonlyMap<string, readonly Route[]>;

export class Matrix implements AsyncDisposable {
  readonly #sessions: readonly Session[];
  readonly #topology: Topology;
  readonly #directory = workDirectory("interop");
  readonly #routers = new Map<RouterKind, Router>();
  device: Device;

  private constructor(prefix: string, sessions: readonly Session[]) {
    this.#sessions = sessions;
    this.#topology = new Topology(prefix);
    for (const [router, own] of this.#byRouter()) this.#topology.addRouter(router, own);
    this.device = new Device(this.#topology.device);
  }

  static async start(prefix: string, sessions: readonly Session[]): Promise<Matrix> {
    const matrix = new Matrix(prefix, sessions);
    try {
      for (const [kind, own] of matrix.#byRouter()) {
        const directory = join(matrix.#directory, kind);
        mkdirSync(directory);
        const namespace = matrix.#topology.namespaceOf(kind);
        matrix.#routers.set(kind, await START[kind]({ namespace, sessions: own, directory }));
      }
      return matrix;
    } catch (error) {
      await matrix[Symbol.asyncDispose]();
      throw error;
    }
  }

  #byRouter(): Map<RouterKind, Session[]> {
    return Map.groupBy(this.#sessions, ({ router }) => router);
  }

  async #established(): Promise<Set<string>> {
    const up = await Promise.all([...this.#routers.values()].map((router) => router.established()));
    const addresses = new Set(up.flatMap((set) => [...set]));
    return new Set(
      this.#sessions.filter(({ device }) => addresses.has(device.address)).map(({ name }) => name),
    );
  }

  async tables(): Promise<Tables> {
    const found = new Map<string, readonly Route[]>();
    for (const router of this.#routers.values()) {
      for (const family of FAMILIES) {
        const routes = await router.routes(family);
        for (const session of this.#sessions) {
          if (session.router !== router.kind || session.family !== family) continue;
          found.set(session.name, sorted(routes.get(session.device.address) ?? []));
        }
      }
    }
    return found;
  }

  /** Until every session has what is expected, or for so long; then what is there. */
  async #settled(deadlineMs: number): Promise<Tables> {
    const isSettled = async (): Promise<boolean> => {
      const up = await this.#established();
      if (up.size < this.#sessions.length) return false;
      const tables = await this.tables();
      return this.#sessions.every((one) => isDeepStrictEqual(tables.get(one.name), allExpected(one)));
    };
    await until("every session to show what is expected", isSettled, { deadlineMs, everyMs: 500 }).catch(
      onlyLate,
    );
    return this.tables();
  }

  /** Every cell, judged. `deadlineMs` bounds each of the two phases. */
  async run(wanted: Wanted, { deadlineMs = 45_000 }: { deadlineMs?: number } = {}): Promise<Cell[]> {
    await this.device.reconcile(wanted);
    const before = await this.#settled(deadlineMs);
    const up = await this.#established();
    await this.device.stop("restart");
    const isDown = async (): Promise<boolean> => (await this.#established()).size === 0;
    // Otherwise what a live session shows would count as kept.
    await until("the routers to miss their peer", isDown, { deadlineMs });
    const between = await this.tables();
    this.device = new Device(this.#topology.device);
    await this.device.reconcile(wanted);
    const after = await this.#settled(deadlineMs);
    return this.#sessions.flatMap((session) =>
      FEATURES.filter((feature) => !isExcluded(session.router, feature)).map((feature) => {
        const fault = up.has(session.name)
          ? faultOf(session, feature, { before, between, after })
          : "the session is not established";
        const name = `${session.name} ${feature}`;
        return { name, session, feature, ...(fault !== undefined && { fault }) };
      }),
    );
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.device.kill();
    for (const router of this.#routers.values()) await router.stop();
    this.#topology[Symbol.dispose]();
    rmSync(this.#directory, { recursive: true });
  }
}

/** What has not come in time is judged as it is. */
function onlyLate(error: unknown): void {
  if (!(error instanceof DeadlineError)) throw error;
}

interface Phases {
  readonly before: Tables;
  readonly between: Tables;
  readonly after: Tables;
}

/** Those whose tools mark each route that is only kept; BIRD marks the session alone. */
const SHOWS_STALE: readonly RouterKind[] = ["frr", "gobgp"];

const withoutStale = ({ isStale: _, ...route }: Route): Route => route;

function difference(seen: readonly Route[], expected: readonly Route[]): string | undefined {
  return isDeepStrictEqual(seen, expected)
    ? undefined
    : `shows ${JSON.stringify(seen)} instead of ${JSON.stringify(expected)}`;
}

function faultOf(session: Session, feature: Feature, { before, between, after }: Phases): string | undefined {
  const table = (tables: Tables): readonly Route[] => tables.get(session.name) ?? [];
  if (feature === "gracefulRestart") {
    const fresh = table(between).filter(({ isStale }) => isStale !== true);
    if (SHOWS_STALE.includes(session.router) && fresh.length > 0) {
      return `without its peer it shows as fresh ${JSON.stringify(fresh)}`;
    }
    const kept = difference(table(between).map(withoutStale), allExpected(session));
    if (kept !== undefined) return `without its peer ${kept}`;
    const back = difference(table(after), allExpected(session));
    return back === undefined ? undefined : `after the restart ${back}`;
  }
  const expected = expectedRoutes(session, feature);
  const others = new Set(allExpected(session).map(({ prefix }) => prefix));
  const prefixes = new Set(expected.map(({ prefix }) => prefix));
  // A route that nobody expects is a fault of every cell: an aggregate's parts, for example.
  return difference(
    table(before).filter(({ prefix }) => prefixes.has(prefix) || !others.has(prefix)),
    expected,
  );
}
