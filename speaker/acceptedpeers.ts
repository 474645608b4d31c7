/**
 * The BGPPeers that count. What came in while no webhook was up is judged by the same rules as there: a peer whose new
 * configuration is refused goes on with its last valid one, and every node decides alike.
 */
import { BGPPEER_RULES } from "#api/v1beta1/admission/bgppeer.ts";
import { LastValid } from "#api/v1beta1/admission/lastvalid.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type * as generated from "#api/v1beta1/generated/types.ts";
import type { BGPPeer } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { projectPeer } from "./projectbgp.ts";
import type { PeerView } from "./view.ts";

export class AcceptedPeers {
  /** As the API server has them. */
  readonly store = new Store<BGPPeer>();
  readonly #judge: LastValid<generated.BGPPeer>;
  #list: readonly PeerView[] | undefined;

  constructor(namespace: string) {
    const view = emptyView(namespace);
    this.#judge = new LastValid((peer, peers) =>
      BGPPEER_RULES.flatMap((rule) => rule(peer, { ...view, peers })),
    );
    this.store.subscribe(() => {
      this.#list = undefined;
    });
  }

  /** By name; the same list until something changes. */
  list(): readonly PeerView[] {
    this.#list ??= this.#judge
      .judge(this.store.list() as unknown as readonly generated.BGPPeer[])
      .flatMap(({ effective }) =>
        effective === undefined ? [] : [projectPeer(effective as unknown as BGPPeer)],
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1));
    return this.#list;
  }
}

/** What rules and plans look at: a status that changes is no news. */
export function storedPeer({ metadata, spec }: BGPPeer): BGPPeer {
  const { name, namespace, uid, creationTimestamp } = metadata;
  const kept = { name, uid, resourceVersion: "" };
  return {
    metadata: {
      ...kept,
      ...(namespace === undefined ? {} : { namespace }),
      ...(creationTimestamp === undefined ? {} : { creationTimestamp }),
    },
    spec,
  } as BGPPeer;
}
