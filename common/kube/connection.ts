/**
 * Where the API server is and who we are to it, for the processes that run in pods: the service account. Outside of pods,
 * in development and tests, they read one kubeconfig with certificates or tokens as well. What else a kubeconfig can say
 * (plugins, OIDC, proxies, several files) is for cli/cluster.ts: client-node, which reads all of it, takes 80 MB and half
 * a second of CPU to load, and a speaker under test should weigh what it weighs in a pod.
 */
import { parse } from "yaml";
import { familyOf } from "#api/address.ts";
import { ConfigurationError } from "#common/kube/error.ts";

/** What proves the server to us and us to the server; PEM texts. */
export interface Credentials {
  readonly ca?: string;
  readonly certificate?: string;
  readonly key?: string;
  readonly token?: string;
  /** kubeconfig's tls-server-name. */
  readonly serverName?: string;
  /** kubeconfig's insecure-skip-tls-verify. */
  readonly insecure?: boolean;
}

export interface Connection {
  readonly server: URL;
  /** Reads them anew, since tokens and certificates are replaced under a running process. */
  readonly credentials: () => Credentials;
  /** The pod's namespace, or the kubeconfig context's; undefined if neither says. */
  readonly namespace?: string;
}

export interface ConnectionEnvironment {
  readonly env: Readonly<Record<string, string | undefined>>;
  /** UTF-8 text of a file; throws if there is none. */
  readonly readFile: (path: string) => string;
}

/** Where the kubelet puts a pod's identity. */
const SERVICE_ACCOUNT = "/var/run/secrets/kubernetes.io/serviceaccount";

/**
 * $KUBECONFIG if it is set (its first file; current-context, CA, client certificate, token or token file), else the
 * service account of the pod. ConfigurationError if there is neither, or the file asks for a plugin or a password.
 */
export function connectionFromEnvironment(from: ConnectionEnvironment): Connection {
  const kubeconfig = from.env.KUBECONFIG?.split(":").find((path) => path !== "");
  if (kubeconfig !== undefined) return connectionFromKubeconfig(kubeconfig, from.readFile);
  const host = from.env.KUBERNETES_SERVICE_HOST;
  if (host === undefined || host === "") {
    throw new ConfigurationError(
      "neither KUBECONFIG nor KUBERNETES_SERVICE_HOST is set: no API server to talk to",
    );
  }
  const port = from.env.KUBERNETES_SERVICE_PORT ?? "443";
  return {
    server: new URL(`https://${familyOf(host) === "IPv6" ? `[${host}]` : host}:${port}`),
    credentials: () => ({
      ca: from.readFile(`${SERVICE_ACCOUNT}/ca.crt`),
      token: from.readFile(`${SERVICE_ACCOUNT}/token`).trim(),
    }),
    ...podNamespace(from),
  };
}

function podNamespace(from: ConnectionEnvironment): { namespace?: string } {
  const given = from.env.POD_NAMESPACE;
  if (given !== undefined && given !== "") return { namespace: given };
  return { namespace: from.readFile(`${SERVICE_ACCOUNT}/namespace`).trim() };
}

type Section = Readonly<Record<string, unknown>>;

/** The current context of the kubeconfig at `path`; file names in it are relative to it. */
export function connectionFromKubeconfig(path: string, readFile: (path: string) => string): Connection {
  const config = section(parse(readFile(path)), path);
  const contextName = text(config["current-context"]);
  if (contextName === undefined) throw new ConfigurationError(`${path}: current-context is not set`);
  const context = named(config, { list: "contexts", name: contextName, inner: "context", path });
  const cluster = named(config, {
    list: "clusters",
    name: text(context.cluster),
    inner: "cluster",
    path,
  });
  const user = named(config, { list: "users", name: text(context.user), inner: "user", path });
  for (const unsupported of ["exec", "auth-provider", "username"]) {
    if (user[unsupported] !== undefined) {
      throw new ConfigurationError(
        `${path}: user "${text(context.user)}" uses ${unsupported}, which is not supported`,
      );
    }
  }
  const server = text(cluster.server);
  if (server === undefined || !URL.canParse(server)) {
    throw new ConfigurationError(
      `${path}: server ${JSON.stringify(server ?? null)} of cluster "${text(context.cluster)}" is no URL`,
    );
  }
  const namespace = text(context.namespace);
  return {
    server: new URL(server),
    credentials: () => credentialsOf(cluster, user, fileReader(path, readFile)),
    ...(namespace === undefined ? {} : { namespace }),
  };
}

function credentialsOf(cluster: Section, user: Section, read: (name: string) => string): Credentials {
  const tokenFile = text(user.tokenFile);
  const found = {
    ca: inlineOrFile(cluster, "certificate-authority", read),
    certificate: inlineOrFile(user, "client-certificate", read),
    key: inlineOrFile(user, "client-key", read),
    token: tokenFile === undefined ? text(user.token) : read(tokenFile).trim(),
    serverName: text(cluster["tls-server-name"]),
    insecure: cluster["insecure-skip-tls-verify"] === true ? true : undefined,
  };
  return Object.fromEntries(Object.entries(found).filter(([, value]) => value !== undefined));
}

/** `NAME-data` (base64 in the file) goes before `NAME` (a path), as in kubectl. */
function inlineOrFile(from: Section, name: string, read: (name: string) => string): string | undefined {
  const inline = text(from[`${name}-data`]);
  if (inline !== undefined) return Buffer.from(inline, "base64").toString("utf8");
  const path = text(from[name]);
  return path === undefined ? undefined : read(path);
}

function fileReader(kubeconfig: string, readFile: (path: string) => string): (name: string) => string {
  const folder = kubeconfig.includes("/") ? kubeconfig.slice(0, kubeconfig.lastIndexOf("/")) : ".";
  return (name) => readFile(name.startsWith("/") ? name : `${folder}/${name}`);
}

function named(
  config: Section,
  want: {
    readonly list: string;
    readonly name: string | undefined;
    readonly inner: string;
    readonly path: string;
  },
): Section {
  const list = config[want.list];
  const found = Array.isArray(list)
    ? list.find((entry: unknown) => want.name !== undefined && (entry as Section | null)?.name === want.name)
    : undefined;
  if (found === undefined)
    throw new ConfigurationError(`${want.path}: ${want.list} has no ${JSON.stringify(want.name ?? null)}`);
  return section((found as Section)[want.inner], `${want.path}: ${want.inner} "${want.name}"`);
}

function section(value: unknown, where: string): Section {
  if (typeof value !== "object" || value === null || Array.isArray(value)) {
    throw new ConfigurationError(`${where}: a map is expected`);
  }
  return value as Section;
}

function text(value: unknown): string | undefined {
  return typeof value === "string" && value !== "" ? value : undefined;
}
