/** Findings that no condition has the words for, because whoever would write it is away. */

interface Words {
  /** A whole sentence: when it is there. */
  readonly when: string;
  /** A whole sentence: what to do. */
  readonly advice: string;
}

export const OTHER_FINDINGS = {
  NoLoadBalancer: {
    when: "There is no LoadBalancer with the name that counts, so nothing runs.",
    advice: "Create the LoadBalancer, as docs/install.md shows.",
  },
  NotJudged: {
    when: "The object was changed, and its conditions speak about an older generation.",
    advice: "Wait a few seconds; if it stays, see whether operator and controller run.",
  },
  NoAddressYet: {
    when: "A Service has neither an address nor a condition that says why.",
    advice: "See whether a controller runs, and whether its log has an error.",
  },
  SpeakerSilent: {
    when: "The speaker of a node does not renew its Lease; other nodes have taken over its addresses.",
    advice: "See whether the node is up and reaches the API server, and read the log of its speaker.",
  },
  SpeakerGone: {
    when: "The speaker of a node has said goodbye, and none runs there now.",
    advice: "See why the DaemonSet `speaker` has no pod on the node.",
  },
  LeaseUnusable: {
    when: "Somebody wrote something into a speaker's Lease that cannot be used.",
    advice: "Find who writes the Lease beside the speaker, by its managed fields.",
  },
  PassFailed: {
    when: "The last pass of a speaker failed as a whole.",
    advice: "It is tried again by itself; if it stays, read the log of that speaker.",
  },
  RouterWarning: {
    when: "A session works, and something should be changed at the router.",
    advice: "Change at the router what the message says.",
  },
  UnknownReason: {
    when: "A condition has a reason that this version of the command does not know.",
    advice: "Read the message; a newer command knows more.",
  },
} as const satisfies Readonly<Record<string, Words>>;
