/** Reasons of the conditions of the LoadBalancer. */
import { type Meanings, NOTHING_TO_DO } from "#api/v1beta1/reasons/meaning.ts";

export const LOADBALANCER_REASONS = {
  Valid: { under: ["Valid"], when: "The LoadBalancer's own rules hold.", advice: NOTHING_TO_DO },
  Invalid: {
    under: ["Valid", "Degraded", "Upgradeable", "Ready"],
    when: "The LoadBalancer's spec breaks a rule, which the message has word for word.",
    advice: "Correct the field that the message names.",
  },
  WrongName: {
    under: ["Available", "Degraded", "Progressing", "Valid", "Ready"],
    when: "The LoadBalancer does not have the only name that counts, so nothing is done for it.",
    advice: "Delete it, and create one with the name that the message says.",
  },
  Running: {
    under: ["Available", "Ready"],
    when: "At least one controller and all speakers that should be there are available.",
    advice: NOTHING_TO_DO,
  },
  NotRunning: {
    under: ["Available", "Ready"],
    when: "No controller is available, or a speaker that should be there is not.",
    advice: "Wait while Progressing is True; else look at the pods that the message names.",
  },
  RollingOut: {
    under: ["Progressing", "Upgradeable", "Ready"],
    when: "A change is on its way to the pods.",
    advice:
      "Wait until it is through before you upgrade; if it takes long, look at the pods that the message names.",
  },
  AsExpected: {
    under: ["Degraded", "Progressing", "Upgradeable", "Contested"],
    when: "All is as it should be.",
    advice: NOTHING_TO_DO,
  },
  Removing: {
    under: ["Available", "Progressing", "Upgradeable", "Removed", "Ready"],
    when: "The LoadBalancer is being deleted, or a node is to be left, and what was made is taken away.",
    advice: "Wait; the message says what it waits for.",
  },
  ApplyFailed: {
    under: ["Degraded", "Upgradeable", "Ready"],
    when: "The API server refused something that the operator writes.",
    advice:
      "Read the refusal in the message: most often a right, a quota or somebody's admission webhook is in the way.",
  },
  PodsRefused: {
    under: ["Degraded", "Upgradeable"],
    when: "The API server lets no pod of the controllers or speakers be made: a priority or runtime class that is not there, a quota, Pod Security, somebody's admission webhook.",
    advice: "Read its words in the message, and change the LoadBalancer or what stands in the way.",
  },
  OtherInstallation: {
    under: ["Available", "Progressing", "Degraded", "Upgradeable", "Ready"],
    when: "Another namespace of the cluster has a Genkan already, so nothing is done for this LoadBalancer.",
    advice: "Delete one of the two LoadBalancers; the message names the other's namespace.",
  },
  SpeakerTrouble: {
    under: ["Degraded", "Upgradeable"],
    when: "The speaker of a node says that something is missing there.",
    advice: "Look up the node's reason, which the message has, on this page.",
  },
  ControllerStuck: {
    under: ["Degraded", "Upgradeable"],
    when: "The rollout of the controllers does not get on.",
    advice: "Read the Deployment's words in the message, then the events of its pods.",
  },
  ControllersUnavailable: {
    under: ["Degraded", "Upgradeable"],
    when: "A controller's pod has not been ready for a minute.",
    advice: "Read what the kubelet or scheduler says of it in the message.",
  },
  SpeakersUnavailable: {
    under: ["Degraded", "Upgradeable"],
    when: "A speaker's pod has not been ready for a minute.",
    advice: "Read what the kubelet or scheduler says of it in the message.",
  },
  NoNodeSelected: {
    under: ["Degraded", "Upgradeable"],
    when: "No node takes a speaker, so nobody announces addresses.",
    advice:
      "Change spec.nodeSelector, spec.speakerConfig.affinity or spec.speakerTolerations, or the labels and taints of nodes.",
  },
  ChildContested: {
    under: ["Contested"],
    events: ["LoadBalancer"],
    when: "Somebody else keeps changing an object that the operator made.",
    advice:
      "Stop the other writer, whose field manager the message names; change the LoadBalancer instead of its objects.",
  },
} as const satisfies Meanings;
