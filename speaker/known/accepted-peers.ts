/**
 * The BGPPeers that count. What came in while no webhook was up is judged by the same rules as there: a peer whose new
 * configuration is refused goes on with its last valid one, and every node decides alike.
 */
import { BGPPEER_RULES } from "#api/v1beta1/admission/bgppeer.ts";
import { LastValid } from "#api/v1beta1/admission/last-valid.ts";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import type * as generated from "#api/v1beta1/generated/types.ts";
import type { BGPPeer } from "#common/kube/resource.ts";
import { Store } from "#common/kube/store.ts";
import { projectPeer } from "./project-bgp.ts";
import { judgedMetadata, refusedOf, type Unusable } from "./usable.ts";
import type { PeerView } from "./view.ts";

export class AcceptedPeers {
  /** As the API server has them. */
  readonly store = new Store<BGPPeer>();
  readonly #judge: LastValid<generated.BGPPeer>;
  #list: readonly PeerView[] | undefined;
  #refused: readonly Unusable[] = [];

  constructor(namespace: string) {
    const view = emptyView(namespace);
    this.#judge = new LastValid((peer, peers) => {
      // A peer that cannot be read makes this throw, which counts as a refusal.
      projectPeer(peer as unknown as BGPPeer);
      return BGPPEER_RULES.flatMap((rule) => rule(peer, { ...view, peers }));
    });
    this.store.subscribe(() => {
      this.#list = undefined;
    });
  }

  /** By name; the same list until something changes. */
  list(): readonly PeerView[] {
    this.#list ??= this.#settle();
    return this.#list;
  }

  /** Peers whose present configuration does not count, as of `list`. */
  get refused(): readonly Unusable[] {
    return this.#refused;
  }

  #settle(): readonly PeerView[] {
    const standings = this.#judge.judge(this.store.list() as unknown as readonly generated.BGPPeer[]);
    this.#refused = refusedOf("BGPPeer", standings);
    return standings
      .flatMap(({ effective }) =>
        effective === undefined ? [] : [projectPeer(effective as unknown as BGPPeer)],
      )
      .sort((a, b) => (a.name < b.name ? -1 : 1));
  }
}

/** What rules and plans look at: a status that changes is no news. The spec is read when it is judged. */
export function storedPeer({ metadata, spec }: BGPPeer): BGPPeer {
  return { metadata: judgedMetadata(metadata), spec } as BGPPeer;
}
