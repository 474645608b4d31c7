/** Everything that a LoadBalancer asks for, in the order in which it is made. Pure. */
import type { Child, Site } from "#operator/children/child.ts";
import { controllerChildren } from "#operator/children/controller.ts";
import { gossipSecret } from "#operator/children/gossip.ts";
import { metricsChildren } from "#operator/children/metrics.ts";
import { type Owners, withOwner } from "#operator/children/owners.ts";
import { rbacChildren } from "#operator/children/rbac.ts";
import { speakerChildren } from "#operator/children/speaker.ts";
import {
  type ServingCertificate,
  webhookConfiguration,
  webhookSecret,
  webhookService,
} from "#operator/children/webhook.ts";
import type { Settings } from "#operator/settings.ts";

export interface Wanted {
  readonly site: Site;
  readonly settings: Settings;
  readonly certificate: ServingCertificate;
  /** By which speakers gossip, as nextKeys gives them. */
  readonly gossipKeys: string;
  readonly owners: Owners;
  /** Whether a controller is there to answer the webhooks. */
  readonly isAdmissionOn: boolean;
}

/**
 * Rights before those who need them, the Secret before its reader. The webhooks are there only while a controller
 * answers them; then they are written before the Secret: the API server must trust a new certificate before it is served.
 */
export function wantedChildren(wanted: Wanted): Child[] {
  const { site, settings, certificate, gossipKeys, owners, isAdmissionOn } = wanted;
  const children = [
    ...rbacChildren(site, settings),
    ...(isAdmissionOn ? [webhookConfiguration(site, certificate)] : []),
    webhookSecret(site, certificate),
    gossipSecret(site, gossipKeys),
    webhookService(site),
    ...metricsChildren(site, settings),
    ...controllerChildren(site, settings),
    ...speakerChildren(site, settings),
  ];
  return children.map((child) => withOwner(child, owners));
}
