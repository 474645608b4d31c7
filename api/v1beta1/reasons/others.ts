/** Reasons of Valid, which all kinds have, and of the conditions of BGPPeers. */
import { type Meanings, NOTHING_TO_DO } from "#api/v1beta1/reasons/meaning.ts";

export const OTHER_REASONS = {
  Accepted: { under: ["Valid", "Ready"], when: "The rules of admission hold.", advice: NOTHING_TO_DO },
  Refused: {
    under: ["Valid", "Ready"],
    when: "The object breaks a rule of admission: it was written while the webhook was away, or another object changed.",
    advice: "Correct the field that the message names: the webhook would refuse it with the same words.",
  },
  NoSessions: {
    under: ["Established"],
    when: "No node has a session with this peer.",
    advice: "Correct spec.nodeSelectors of the BGPPeer if nodes should have one.",
  },
  AllEstablished: {
    under: ["Established"],
    when: "Every session that should be is established.",
    advice: NOTHING_TO_DO,
  },
  SessionsDown: {
    under: ["Established"],
    when: "Some sessions with this peer are not established.",
    advice: "Read each node's last error in the message, and the router's log.",
  },
  Withheld: {
    under: ["Established"],
    when: "All sessions that are not established are held back, because something that they need is missing.",
    advice: "Create or correct the Secret, BFDProfile or field that the message names.",
  },
  Advertised: {
    under: ["AllAdvertised"],
    when: "Nothing is kept back from this router.",
    advice: NOTHING_TO_DO,
  },
  NoNextHop: {
    under: ["AllAdvertised"],
    when: "Nodes have no next hop for a family's prefixes towards this router, so it is not told them.",
    advice:
      "Give the nodes an address of that family on the link towards the router, or an InternalIP, or say nextHop or nextHopV6 in the BGPPeer; never the router's own address.",
  },
  AttributesTooLong: {
    under: ["AllAdvertised"],
    when: "The communities of some prefixes are longer than a message to this router may be, so it is not told them.",
    advice:
      "Give the pool's bgpAdvertisements fewer communities, or name the router's BGPPeer in fewer of them.",
  },
} as const satisfies Meanings;
