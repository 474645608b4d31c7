/** The Secret with the keys by which speakers gossip. Pure. */
import { GOSSIP_SECRET_ENTRY, GOSSIP_SECRET_NAME, GOSSIP_SECRET_TYPE } from "#api/names.ts";
import { secrets } from "#common/kube/resource.ts";
import { type Child, child, type Site } from "#operator/children/child.ts";

/** `keys` as nextKeys gives them. */
export function gossipSecret(site: Site, keys: string): Child {
  return child(
    secrets,
    { site, name: GOSSIP_SECRET_NAME, component: "speaker" },
    {
      type: GOSSIP_SECRET_TYPE,
      data: { [GOSSIP_SECRET_ENTRY]: Buffer.from(keys, "utf8").toString("base64") },
    },
  );
}
