/**
 * Asks the API server whose token it is (TokenReview) and what he may do (SubjectAccessReview): two objects that are
 * answered and not kept. `system:auth-delegator` has the same two rights.
 */
import type { V1SubjectAccessReview, V1TokenReview } from "@kubernetes/client-node";
import type { Judgement } from "#common/access/gate.ts";
import type { KubeClient } from "#common/kube/client.ts";
import type { Resource } from "#common/kube/resource.ts";
import type { Received } from "#common/kube/wire.ts";

export type TokenReview = Received<V1TokenReview>;
export type SubjectAccessReview = Received<V1SubjectAccessReview>;

export const tokenReviews: Resource<TokenReview> = {
  group: "authentication.k8s.io",
  version: "v1",
  plural: "tokenreviews",
  kind: "TokenReview",
  namespaced: false,
};
export const subjectAccessReviews: Resource<SubjectAccessReview> = {
  group: "authorization.k8s.io",
  version: "v1",
  plural: "subjectaccessreviews",
  kind: "SubjectAccessReview",
  namespaced: false,
};

/** For each question; a scraper waits for 10 s. */
const REVIEW_MS = 3_000;
/** What readers are allowed by RBAC: the ClusterRole genkan-metrics-reader. */
const NON_RESOURCE = { path: "/metrics", verb: "get" } as const;
/** Reviews have no name, and every object on its way to the API server says so. */
const NAMELESS = { name: "" } as const;

/** A user as the API server knows him by his token. */
export interface User {
  readonly username: string;
  readonly uid?: string;
  readonly groups?: readonly string[];
  readonly extra?: Readonly<Record<string, readonly string[]>>;
}

/** What somebody may be asked about: of a resource, or of a path that is none. */
export type Deed = Pick<
  NonNullable<SubjectAccessReview["spec"]>,
  "resourceAttributes" | "nonResourceAttributes"
>;

type Client = Pick<KubeClient, "create">;

/** undefined: the API server does not know the token. Errors are those of `create`: KubeError, ConnectionError. */
export async function userOf(client: Client, token: string): Promise<User | undefined> {
  const draft = { metadata: NAMELESS, spec: { token } };
  const { status } = await client.create(tokenReviews, draft, { timeoutMs: REVIEW_MS });
  if (status?.authenticated !== true) return undefined;
  const { username, uid, groups, extra } = status.user ?? {};
  // Without a user name the API server would be asked about the rights of everybody.
  if (username === undefined || username === "") return undefined;
  return {
    username,
    ...(uid === undefined ? {} : { uid }),
    ...(groups === undefined ? {} : { groups }),
    ...(extra === undefined ? {} : { extra }),
  };
}

/** Errors are those of `create`. */
export async function mayDo(client: Client, user: User, deed: Deed): Promise<boolean> {
  const { username, groups, extra, ...rest } = user;
  const spec = {
    ...rest,
    user: username,
    ...(groups === undefined ? {} : { groups: [...groups] }),
    ...(extra === undefined
      ? {}
      : { extra: Object.fromEntries(Object.entries(extra).map(([key, values]) => [key, [...values]])) }),
    ...deed,
  };
  const draft = { metadata: NAMELESS, spec };
  const { status } = await client.create(subjectAccessReviews, draft, { timeoutMs: REVIEW_MS });
  return status?.allowed === true && status.denied !== true;
}

/** Whether the holder of a token may read metrics. Errors are those of `create`. */
export function reviewer(client: Client): (token: string) => Promise<Judgement> {
  return async (token) => {
    const user = await userOf(client, token);
    if (user === undefined) return "unknown";
    const isAllowed = await mayDo(client, user, { nonResourceAttributes: NON_RESOURCE });
    return isAllowed ? "allowed" : "forbidden";
  };
}
