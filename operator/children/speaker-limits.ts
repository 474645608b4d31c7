/**
 * What a speaker's token may write. All speakers share a ServiceAccount, and RBAC cannot tell one from the other. Each
 * pod's token says on which node the pod runs (`authentication.kubernetes.io/node-name`, Kubernetes 1.30 and later), so
 * that whoever took a node over, and holds the tokens of its pods, writes in that node's name alone. Pure.
 */
import {
  API_VERSION,
  APP_NAME,
  FIELD_MANAGER,
  GROUP,
  LABEL_SPEAKER_LEASE,
  SPEAKER_NAME,
  speakerLease,
  VERSION,
} from "#api/names.ts";
import { forWrites, keeps, type Policy, validation } from "#operator/children/policy.ts";

/** The node that the token is bound to; empty for a token that is bound to none. */
const NODE = "request.userInfo.?extra[?'authentication.kubernetes.io/node-name'][?0].orValue('')";

const NAMES_A_NODE = validation(
  "variables.node != ''",
  "the speaker's token names no node: only a token that is bound to a speaker's pod may write",
);
const REMOVES_NOTHING = validation("request.operation != 'DELETE'", "a speaker removes nothing");
/** A finalizer would hold up the removal of Genkan; an owner would take the object with it. */
const HAS_NO_TIES = keeps(["finalizers", "ownerReferences"], "a speaker sets neither finalizers nor owners");

/** Every policy of speakers, in the fields of the kind that it judges. */
function forSpeakers(policy: Pick<Policy, "name" | "rule" | "variables" | "validations">): Policy {
  return {
    ...policy,
    component: "speaker",
    serviceAccount: SPEAKER_NAME,
    variables: [{ name: "node", expression: NODE }, ...(policy.variables ?? [])],
    validations: (site) => [NAMES_A_NODE, REMOVES_NOTHING, ...policy.validations(site), HAS_NO_TIES],
  };
}

const LEASES = forSpeakers({
  name: `${APP_NAME}-speaker-leases`,
  rule: { apiGroups: ["coordination.k8s.io"], apiVersions: ["v1"], resources: ["leases"] },
  validations: () => [
    forWrites(
      `object.metadata.name == '${speakerLease("")}' + variables.node`,
      `'a speaker writes only the Lease ${speakerLease("")}' + variables.node`,
    ),
    forWrites(
      `object.metadata.?labels[?'${LABEL_SPEAKER_LEASE}'].orValue('') == variables.node`,
      `'the label ${LABEL_SPEAKER_LEASE} has to be ' + variables.node`,
    ),
  ],
});

const STATUSES = forSpeakers({
  name: `${APP_NAME}-speaker-statuses`,
  rule: {
    apiGroups: [GROUP],
    apiVersions: [VERSION],
    resources: ["speakerstatuses", "speakerstatuses/status"],
  },
  validations: () => [
    forWrites(
      "object.metadata.name == variables.node",
      "'a speaker writes only the SpeakerStatus ' + variables.node",
    ),
  ],
});

/** What an Event says once and for all; count and times go on. */
const FIXED = ["involvedObject", "reason", "message", "type", "source", "reportingInstance"];

const EVENTS = forSpeakers({
  name: `${APP_NAME}-speaker-events`,
  rule: { apiGroups: [""], apiVersions: ["v1"], resources: ["events"] },
  // Of no type: the API server checks types against Event of events.k8s.io, which has other fields, and warns.
  variables: [
    { name: "event", expression: "dyn(object)" },
    { name: "old", expression: "dyn(oldObject)" },
    { name: "about", expression: "variables.event.?involvedObject.orValue({})" },
  ],
  validations: (site) => [
    forWrites(
      `variables.event.?source.?component.orValue('') == '${FIELD_MANAGER.speaker}' && ` +
        "variables.event.?source.?host.orValue('') == variables.node && " +
        `variables.event.?reportingComponent.orValue('') == '${FIELD_MANAGER.speaker}' && ` +
        "variables.event.?reportingInstance.orValue('') == variables.node",
      `'an Event of a speaker says that it is from ${FIELD_MANAGER.speaker} of node ' + variables.node`,
    ),
    forWrites(
      `variables.about.?apiVersion.orValue('') == 'v1' && variables.about.?kind.orValue('') == 'Service' ? ` +
        "variables.about.?namespace.orValue('') == request.namespace : " +
        `variables.about.?apiVersion.orValue('') == '${API_VERSION}' && ` +
        `variables.about.?namespace.orValue('') == '${site.namespace}' && ` +
        "(variables.about.?kind.orValue('') == 'BGPPeer' || variables.about.?kind.orValue('') == 'SpeakerStatus' && " +
        "variables.about.?name.orValue('') == variables.node)",
      "'a speaker tells of Services, BGPPeers and its own SpeakerStatus'",
    ),
    validation(
      `request.operation != 'UPDATE' || ${FIXED.map((field) => `variables.event.?${field} == variables.old.?${field}`).join(" && ")}`,
      "of an Event that is there a speaker counts on only what it said itself",
    ),
  ],
});

export const SPEAKER_LIMITS: readonly Policy[] = [LEASES, STATUSES, EVENTS];
