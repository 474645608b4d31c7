/**
 * A cluster as kubectl would reach it: several kubeconfigs, login by plugins (exec, OIDC), proxies. All of that is
 * client-node's; it takes half a second of CPU and 80 MB to load, so nothing that runs in a pod imports this file, and
 * `genkan check` does not, either.
 */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import {
  type Cluster,
  type Context,
  createConfiguration,
  HttpMethod,
  KubeConfig,
  RequestContext,
  type ResponseContext,
  type User,
} from "@kubernetes/client-node";
import { statusOf } from "#common/kube/answer.ts";
import { ConfigurationError, isGone, KubeError } from "#common/kube/error.ts";
import { pathOf, pods } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";

/** Where a kind is in the API; the group of the core is "". */
export interface Kind {
  readonly group: string;
  readonly version: string;
  readonly plural: string;
}

export interface Selection {
  /** All namespaces, if it is left out. */
  readonly namespace?: string;
  readonly labelSelector?: string;
  readonly fieldSelector?: string;
}

export interface LogSelection {
  readonly namespace: string;
  readonly pod: string;
  readonly container: string;
  readonly lines: number;
  readonly bytes: number;
  /** Of the container that ran before this one. */
  readonly isBefore: boolean;
}

/** What is read of a cluster. */
export interface ClusterReader {
  /** Host and port of its API server. */
  readonly host: string;
  /** All objects of a kind; undefined if the cluster has no such kind. KubeError where it refuses. */
  list(kind: Kind, selection?: Selection): Promise<readonly KubeObject[] | undefined>;
  /** The last lines of a container; undefined if there is no such pod or log. KubeError where the server refuses. */
  log(wanted: LogSelection): Promise<string | undefined>;
  /** What the API server's clock said in its last answer; undefined before there was one. */
  now(): Date | undefined;
}

/** What is changed of a cluster, by the few commands that change something. */
export interface ClusterWriter {
  /** Merges into an object (RFC 7386). KubeError where the server refuses, or has no such object. */
  patch(kind: Kind, at: { readonly name: string; readonly namespace?: string }, body: object): Promise<void>;
}

const PAGE = 500;
/** A list that changes faster than its pages are read is begun anew, so often at most. */
const MAX_RESTARTS = 5;
/** A server that says nothing for so long is away. */
const TIMEOUT_MS = 30_000;

/** `kubeconfig`: what $KUBECONFIG holds, one path or several; undefined: ~/.kube/config, or the pod that we run in. */
export function openCluster(kubeconfig: string | undefined): ClusterReader & ClusterWriter {
  const config = new KubeConfig();
  if (kubeconfig === undefined || kubeconfig === "") config.loadFromDefault();
  else config.loadFromOptions(merged(kubeconfig.split(delimiter).filter((path) => path !== "")));
  config.clusters = config.clusters.map(withPlainHttp);
  const cluster = config.getCurrentCluster();
  if (cluster === null) {
    const where = kubeconfig ?? "~/.kube/config";
    throw new ConfigurationError(`${where}: current-context "${config.currentContext}" names no cluster`);
  }
  if (!URL.canParse(cluster.server)) {
    throw new ConfigurationError(`server "${cluster.server}" of cluster "${cluster.name}" is no URL`);
  }
  return clientOf(config, cluster.server);
}

/** The server's URL may have a path, behind which the API begins (Rancher's proxy). */
function clientOf(config: KubeConfig, server: string): ClusterReader & ClusterWriter {
  let now: Date | undefined;
  const base = server.replace(/\/+$/, "");
  const textOf: AskText = async (path, query, what) => {
    const response = await answerTo(config, `${base}${path}`, { query, what });
    const date = new Date(response.headers.date ?? "");
    if (!Number.isNaN(date.getTime())) now = date;
    const text = await response.body.text();
    const code = response.httpStatusCode;
    if (code === 404) return undefined;
    if (code >= 400) throw new KubeError(what, statusOf(parsed(text), code));
    return text;
  };
  const ask: Ask = async (path, query, what) => {
    const text = await textOf(path, query, what);
    if (text === undefined) return undefined;
    const value = parsed(text);
    if (value === undefined) throw new Error(`cannot ${what}: the answer is not JSON`);
    return value;
  };
  return {
    host: new URL(server).host,
    list: (kind, selection = {}) => listAll(ask, kind, selection),
    log: (wanted) => readLog(textOf, wanted),
    patch: async (kind, at, body) => {
      const what = `change ${kindName(kind)} ${at.name}`;
      const response = await answerTo(config, `${base}${pathIn(kind, at)}`, { what, patch: body });
      const { httpStatusCode: code } = response;
      if (code >= 400) throw new KubeError(what, statusOf(parsed(await response.body.text()), code));
    },
    now: () => now,
  };
}

/** The answer's body, or undefined for 404. */
type AskText = (
  path: string,
  query: Readonly<Record<string, string>>,
  what: string,
) => Promise<string | undefined>;

function readLog(
  textOf: AskText,
  { namespace, pod, container, lines, bytes, isBefore }: LogSelection,
): Promise<string | undefined> {
  const path = `${pathOf(pods, { namespace, name: pod })}/log`;
  const query = {
    container,
    tailLines: String(lines),
    limitBytes: String(bytes),
    ...(isBefore && { previous: "true" }),
  };
  return textOf(path, query, `read the log of pod ${pod}`);
}

/** The answer's JSON, or undefined for 404. */
type Ask = (path: string, query: Readonly<Record<string, string>>, what: string) => Promise<unknown>;

async function answerTo(
  config: KubeConfig,
  url: string,
  {
    query = {},
    what,
    patch,
  }: {
    readonly query?: Readonly<Record<string, string>>;
    readonly what: string;
    /** Without it, the URL is read. */
    readonly patch?: object;
  },
): Promise<ResponseContext> {
  const context = new RequestContext(url, patch === undefined ? HttpMethod.GET : HttpMethod.PATCH);
  if (patch !== undefined) {
    context.setHeaderParam("Content-Type", "application/merge-patch+json");
    context.setBody(JSON.stringify(patch));
  }
  for (const [name, value] of Object.entries(query)) context.setQueryParam(name, value);
  context.setHeaderParam("Accept", "application/json");
  context.setSignal(AbortSignal.timeout(TIMEOUT_MS));
  try {
    await config.applySecurityAuthentication(context);
    return await createConfiguration().httpApi.send(context).toPromise();
  } catch (cause) {
    // A plugin that fails, a proxy or a server that is not reached: the cause says which.
    throw new Error(`cannot ${what}`, { cause });
  }
}

const kindName = ({ group, plural }: Kind): string => (group === "" ? plural : `${plural}.${group}`);
const pathIn = (kind: Kind, at: { readonly namespace?: string; readonly name?: string }): string =>
  pathOf({ ...kind, kind: "", namespaced: at.namespace !== undefined }, at);

/** `kubectl proxy` speaks HTTP, where there is nothing to verify; client-node refuses it unless it is told so. */
const withPlainHttp = (cluster: Cluster): Cluster =>
  cluster.server?.startsWith("http:") ? { ...cluster, skipTLSVerify: true } : cluster;

interface Merged {
  readonly clusters: Cluster[];
  readonly users: User[];
  readonly contexts: Context[];
  readonly currentContext: string;
}

/**
 * As kubectl merges: of two entries with one name the first counts, and so does the first current-context; a file that
 * is not there is passed over, unless none is. (client-node's own merging throws at the second entry, and takes the last
 * current-context.)
 */
function merged(paths: readonly string[]): Merged {
  const present = paths.filter((path) => existsSync(path));
  if (present.length === 0) throw new ConfigurationError(`${paths.join(", ")}: there is no such file`);
  const configs = present.map((path) => {
    const config = new KubeConfig();
    try {
      config.loadFromFile(path);
    } catch (cause) {
      throw new ConfigurationError(`${path} is no kubeconfig`, { cause });
    }
    return config;
  });
  return {
    clusters: firstOfEach(configs.flatMap(({ clusters }) => clusters)),
    users: firstOfEach(configs.flatMap(({ users }) => users)),
    contexts: firstOfEach(configs.flatMap(({ contexts }) => contexts)),
    currentContext: configs.map(({ currentContext }) => currentContext).find(Boolean) ?? "",
  };
}

const firstOfEach = <T extends { readonly name: string }>(entries: readonly T[]): T[] => [
  ...new Map(entries.toReversed().map((entry) => [entry.name, entry])).values(),
];

interface Page {
  readonly items?: readonly KubeObject[];
  readonly metadata?: { readonly continue?: string };
}

async function listAll(
  ask: Ask,
  kind: Kind,
  { namespace, ...selectors }: Selection,
): Promise<readonly KubeObject[] | undefined> {
  const path = pathIn(kind, namespace === undefined ? {} : { namespace });
  const what = `list ${kindName(kind)}`;
  for (let restarts = 0; ; restarts += 1) {
    const objects: KubeObject[] = [];
    let next = "";
    try {
      do {
        const query = { ...selectors, limit: String(PAGE), ...(next !== "" && { continue: next }) };
        const page = (await ask(path, query, what)) as Page | undefined;
        if (page === undefined) return undefined;
        objects.push(...(page.items ?? []));
        next = page.metadata?.continue ?? "";
      } while (next !== "");
      return objects;
    } catch (error) {
      if (!isGone(error) || restarts >= MAX_RESTARTS) throw error;
    }
  }
}

/** A Status object, unless something else than an API server answered. */
function parsed(body: string): unknown {
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
