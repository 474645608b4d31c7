/** An API server that answers reviews of tokens and of access alone, for who serves metrics. */
import type { SubjectAccessReview, TokenReview } from "#common/access/review.ts";
import type { KubeClient } from "#common/kube/client.ts";
import { ConnectionError } from "#common/kube/error.ts";

export interface FakeReviews {
  readonly client: Pick<KubeClient, "create">;
  /** Token -> user; everything else is no token. */
  readonly users: Map<string, string>;
  /** Users that may get /metrics. */
  readonly readers: Set<string>;
  /** Kinds of the objects that were created. */
  readonly asked: string[];
  isAway: boolean;
}

export function fakeReviews(): FakeReviews {
  const reviews: FakeReviews = {
    users: new Map([
      ["prometheus-token", "system:serviceaccount:monitoring:prometheus"],
      ["pod-token", "system:serviceaccount:default:default"],
    ]),
    readers: new Set(["system:serviceaccount:monitoring:prometheus"]),
    asked: [],
    isAway: false,
    client: { create: async (resource, object) => answer(resource.kind, object) as never },
  };
  const answer = (kind: string, object: object): TokenReview | SubjectAccessReview => {
    reviews.asked.push(kind);
    if (reviews.isAway) throw new ConnectionError("NETWORK", `POST ${kind}`, "refused");
    const metadata = { name: "", uid: "", resourceVersion: "", creationTimestamp: "" };
    if (kind === "TokenReview") {
      const { spec } = object as TokenReview;
      const username = reviews.users.get(spec.token ?? "");
      const user = { username, groups: ["system:authenticated"] } as { username: string };
      return { metadata, spec, status: username === undefined ? {} : { authenticated: true, user } };
    }
    const { spec } = object as SubjectAccessReview;
    const { path, verb } = spec.nonResourceAttributes ?? {};
    const allowed = path === "/metrics" && verb === "get" && reviews.readers.has(spec.user ?? "");
    return { metadata, spec, status: { allowed } };
  };
  return reviews;
}
