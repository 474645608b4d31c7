/**
 * A cluster as kubectl would reach it: several kubeconfigs, login by plugins (exec, OIDC), proxies. All of that is
 * client-node's; it takes half a second of CPU and 80 MB to load, so nothing that runs in a pod imports this file, and
 * `genkan check` does not, either.
 */
import { existsSync } from "node:fs";
import { delimiter } from "node:path";
import {
  ApiException,
  type Cluster,
  type Context,
  CoreV1Api,
  CustomObjectsApi,
  KubeConfig,
  type User,
} from "@kubernetes/client-node";
import { statusOf } from "#common/kube/answer.ts";
import { ConfigurationError, KubeError } from "#common/kube/error.ts";
import type { KubeObject } from "#common/kube/wire.ts";

/** What is read of a cluster. */
export interface ClusterReader {
  /** Host and port of its API server. */
  readonly host: string;
  /** All objects of a kind in all namespaces; undefined if the cluster has no such kind. KubeError where it refuses. */
  list(kind: { group: string; version: string; plural: string }): Promise<readonly KubeObject[] | undefined>;
  /** All Services, and the ConfigMaps of one of these names. */
  services(): Promise<readonly KubeObject[]>;
  configMaps(names: readonly string[]): Promise<readonly KubeObject[]>;
}

const PAGE = 500;

/** `kubeconfig`: what $KUBECONFIG holds, one path or several; undefined: ~/.kube/config, or the pod that we run in. */
export function openCluster(kubeconfig: string | undefined): ClusterReader {
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
  const api = config.makeApiClient(CustomObjectsApi);
  const core = config.makeApiClient(CoreV1Api);
  return {
    host: new URL(cluster.server).host,
    list: (kind) =>
      pagesOf(`list ${kind.plural}.${kind.group}`, (page) =>
        api.listCustomObjectForAllNamespaces({
          group: kind.group,
          version: kind.version,
          resourcePlural: kind.plural,
          ...page,
        }),
      ),
    services: async () =>
      (await pagesOf("list services", (page) => core.listServiceForAllNamespaces(page))) ?? [],
    configMaps: async (names) => {
      const lists = names.map((name) =>
        pagesOf("list configmaps", (page) =>
          core.listConfigMapForAllNamespaces({ ...page, fieldSelector: `metadata.name=${name}` }),
        ),
      );
      return (await Promise.all(lists)).flatMap((list) => list ?? []);
    },
  };
}

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
  readonly limit: number;
  readonly _continue?: string;
}

/** All pages of a list; undefined if the cluster has no such kind. */
async function pagesOf(
  what: string,
  read: (page: Page) => Promise<unknown>,
): Promise<readonly KubeObject[] | undefined> {
  const objects: KubeObject[] = [];
  let next: string | undefined;
  try {
    do {
      const page = (await read({ limit: PAGE, ...(next !== undefined && { _continue: next }) })) as {
        readonly items: readonly KubeObject[];
        readonly metadata?: { readonly continue?: string; readonly _continue?: string };
      };
      objects.push(...page.items);
      next = page.metadata?.continue ?? page.metadata?._continue;
    } while (next !== undefined && next !== "");
  } catch (error) {
    // A plugin that fails, a proxy or a server that is not reached: the cause says which.
    if (!(error instanceof ApiException)) throw new Error(`cannot ${what}`, { cause: error });
    if (error.code === 404) return undefined;
    throw new KubeError(what, statusOf(parsed(error.body), error.code));
  }
  return objects;
}

/** A Status object, unless something else than an API server answered. */
function parsed(body: unknown): unknown {
  if (typeof body !== "string") return body;
  try {
    return JSON.parse(body);
  } catch {
    return undefined;
  }
}
