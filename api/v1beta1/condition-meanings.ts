/** What each condition says. docs/reference/conditions.md is made of it, and of reasons.ts (`make generate`). */
import type { AnyConditionType } from "#api/v1beta1/conditions.ts";

interface Meaning {
  /** Kinds that have it. */
  readonly of: string;
  /** A whole sentence: what True means. */
  readonly isTrue: string;
  /** What it means, or what to do, where it is otherwise. */
  readonly otherwise: string;
}

export const CONDITIONS: Readonly<Record<AnyConditionType, Meaning>> = {
  Available: {
    of: "LoadBalancer",
    isTrue: "Everything that the LoadBalancer asks for runs.",
    otherwise: "False: a controller or a speaker is missing; the reason says what to look at.",
  },
  Progressing: {
    of: "LoadBalancer",
    isTrue: "A change is on its way; wait.",
    otherwise: "False: nothing is being changed.",
  },
  Degraded: {
    of: "LoadBalancer",
    isTrue: "Something is wrong: the reason is the gravest fault, and the message has all of them.",
    otherwise: "False: all is well.",
  },
  Upgradeable: {
    of: "LoadBalancer",
    isTrue: "An upgrade may begin.",
    otherwise: "False: finish or mend what the reason says first.",
  },
  Contested: {
    of: "LoadBalancer",
    isTrue: "Another program keeps writing what the operator writes; stop it.",
    otherwise: "False: it has stopped. The condition is missing while that has never happened.",
  },
  Valid: {
    of: "all kinds that users write",
    isTrue: "The rules of admission hold.",
    otherwise: "False: the message is the webhook's own words; correct the field that it names.",
  },
  Established: {
    of: "BGPPeer",
    isTrue: "Every session that should be is established.",
    otherwise: "False: the message names nodes and their last errors.",
  },
  AllAdvertised: {
    of: "BGPPeer",
    isTrue: "Every prefix that the router is to hear is advertised on the sessions that are established.",
    otherwise: "False: nodes keep prefixes back from this router; the reason says why.",
  },
  Ready: {
    of: "all kinds",
    isTrue:
      "SpeakerStatus: the node forwards and announces. LoadBalancer: Available and Valid, its children are written, and nothing is on its way. The others: the same as Valid.",
    otherwise:
      "False: the condition that it is made of says why. Programs wait for it: `kubectl wait --for=condition=Ready`, Flux, Argo CD.",
  },
  ForwardingReady: {
    of: "SpeakerStatus",
    isTrue: "The node's kernel forwards what it should.",
    otherwise: "False: something is missing on the node; the reason says what.",
  },
  AnnouncingReady: {
    of: "SpeakerStatus",
    isTrue: "The node can announce addresses.",
    otherwise: "False: a right, a link or a socket is missing on the node.",
  },
  AllServed: {
    of: "SpeakerStatus",
    isTrue: "Nothing that the status of Services has is left out.",
    otherwise:
      "False: something of a Service is left out, all its endpoints fail their checks, or another station uses its address. The node stays Ready.",
  },
  InputsUsable: {
    of: "SpeakerStatus",
    isTrue: "No object of the API that the speaker reads is left out.",
    otherwise: "False: the message names the first object that is left out; correct it.",
  },
  FirewallOpen: {
    of: "SpeakerStatus",
    isTrue: "What other nodes tunnel to this one comes through its firewall, as far as probes have seen.",
    otherwise:
      "False: connections through other nodes to pods of this one fail; the message has the rules to add.",
  },
  MembersHeard: {
    of: "SpeakerStatus",
    isTrue: "The node hears the other speakers by gossip, so that a death is noticed within a second.",
    otherwise:
      "False: of the nodes in the message, or of all, a death is noticed by its Lease, which takes up to 5 seconds.",
  },
  PathsClear: {
    of: "SpeakerStatus",
    isTrue:
      "Packets of full size and IPv6 multicast reach the nodes that this one asks, as far as it has seen. It asks three others.",
    otherwise: "False: the network between the nodes of the message loses them; the node stays Ready.",
  },
  HostSound: {
    of: "SpeakerStatus",
    isTrue: "Nothing was seen on the node itself that others set, and that is in the way of connections.",
    otherwise:
      "False: the node's kernel drops packets, or its clock was set; the message says what to change. The node stays Ready.",
  },
  ConnectionsShared: {
    of: "SpeakerStatus",
    isTrue: "The node tells other nodes of its connections, and hears of theirs.",
    otherwise:
      "False: connections are not shared, or not with all; the node forwards all the same. It is not there while spec.forwarding.connectionSync is false, or unset with tunnel none, in mode KubeProxy, and where there is no other node.",
  },
  ReceiverTold: {
    of: "SpeakerStatus",
    isTrue: "What the node has told the receiver of spec.layer2.ownerChangedURL was taken.",
    otherwise:
      "False: the receiver was not told which addresses this node owns; it is called again, and the node announces them all the same. It is not there while the URL is unset.",
  },
  TunnelAsAsked: {
    of: "SpeakerStatus",
    isTrue: "The node reaches other nodes' pods as spec.forwarding.tunnel asks, and can be sent to so.",
    otherwise:
      "False: with some nodes, or all, ipip is used instead; the node forwards all the same. It is not there while spec.forwarding.tunnel is ipip.",
  },
  Removed: {
    of: "SpeakerStatus",
    isTrue: "Nothing of ours is left on the node.",
    otherwise: "False: the node is at work, or what it had is being taken away.",
  },
  "genkan.dev/AddressAllocated": {
    of: "Service",
    isTrue: "It is never True: a Service that has all that it asks for does not have this condition.",
    otherwise: "False: the Service has not got all that it asks for; the reason says why.",
  },
  "genkan.dev/ForwardingIds": {
    of: "Service",
    isTrue: "The Service has addresses; the message has their pools and the ids that nodes forward by.",
    otherwise: "It is not there while the Service has no address. Do not change it: nodes forward by it.",
  },
};
