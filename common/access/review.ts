/**
 * Asks the API server whose token it is (TokenReview) and whether he may get /metrics (SubjectAccessReview): two
 * objects that are answered and not kept. `system:auth-delegator` has the same two rights.
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

/** For each of the two; a scraper waits for 10 s. */
const REVIEW_MS = 3_000;
/** What readers are allowed by RBAC: the ClusterRole genkan-metrics-reader. */
const NON_RESOURCE = { path: "/metrics", verb: "get" } as const;
/** Reviews have no name, and every object on its way to the API server says so. */
const NAMELESS = { name: "" } as const;

/** Errors are those of `create`: KubeError, ConnectionError. */
export function reviewer(client: Pick<KubeClient, "create">): (token: string) => Promise<Judgement> {
  const timeoutMs = REVIEW_MS;
  return async (token) => {
    const found = await client.create(tokenReviews, { metadata: NAMELESS, spec: { token } }, { timeoutMs });
    if (found.status?.authenticated !== true) return "unknown";
    const { username, uid, groups, extra } = found.status.user ?? {};
    // Without a user name the API server would be asked about the rights of everybody.
    if (username === undefined || username === "") return "unknown";
    const spec = {
      user: username,
      ...(uid === undefined ? {} : { uid }),
      ...(groups === undefined ? {} : { groups }),
      ...(extra === undefined ? {} : { extra }),
      nonResourceAttributes: NON_RESOURCE,
    };
    const judged = await client.create(subjectAccessReviews, { metadata: NAMELESS, spec }, { timeoutMs });
    return judged.status?.allowed === true && judged.status.denied !== true ? "allowed" : "forbidden";
  };
}
