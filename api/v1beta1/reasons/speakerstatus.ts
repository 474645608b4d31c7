/** Reasons of the conditions of SpeakerStatus: what a node can and cannot do. */
import { type Meanings, NOTHING_TO_DO } from "#api/v1beta1/reasons/meaning.ts";

const ALL_BUT_INPUTS = [
  "AllServed",
  "AnnouncingReady",
  "FirewallOpen",
  "MembersHeard",
  "PathsClear",
  "HostSound",
  "ForwardingReady",
  "Ready",
  "Removed",
] as const;

export const SPEAKER_REASONS = {
  LoadBalancerAbsent: {
    under: ALL_BUT_INPUTS,
    when: "There is no LoadBalancer, so the node does nothing.",
    advice: "Create the LoadBalancer, or remove the speakers.",
  },
  LoadBalancerDeleted: {
    under: ALL_BUT_INPUTS,
    when: "The LoadBalancer is being deleted, so the node takes away what it made.",
    advice: "Wait until it is gone.",
  },
  NodeNotSelected: {
    under: ALL_BUT_INPUTS,
    when: "spec.nodeSelector of the LoadBalancer does not select this node.",
    advice: "Nothing is to be done if that is meant; else change spec.nodeSelector or the node's labels.",
  },
  Ready: { under: ["Ready"], when: "The node forwards and announces.", advice: NOTHING_TO_DO },
  Programmed: {
    under: ["ForwardingReady"],
    when: "The kernel has all that this node is to forward.",
    advice: NOTHING_TO_DO,
  },
  LeftToKubeProxy: {
    under: ["ForwardingReady"],
    when: "spec.forwarding.mode of the LoadBalancer leaves forwarding to kube-proxy.",
    advice: NOTHING_TO_DO,
  },
  SourceTranslated: {
    under: ["ForwardingReady"],
    when: "The node forwards, but some pods see this node's address instead of the client's, because their node has no ready speaker.",
    advice: "Let speakers run on all nodes with pods of Services if those need the client's address.",
  },
  IpvsUnavailable: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "The node's kernel has no IPVS.",
    advice: "Load the module ip_vs on the node, or choose another kernel for it.",
  },
  NoScheduler: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "The node's kernel has IPVS without the scheduler that is needed.",
    advice: "Load the scheduler's module, which the message names, on the node.",
  },
  NoTunnel: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "The node's kernel makes no IP tunnel.",
    advice: "Load the modules ipip and ip6_tunnel on the node.",
  },
  NoNftables: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "nftables cannot be used on the node.",
    advice: "Read nft's words in the message; most often the module nf_tables is missing.",
  },
  SysctlNotWritable: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "A kernel setting that forwarding needs cannot be written.",
    advice: "Let the speaker's pod write /proc/sys, or set on the node what the message names.",
  },
  NotPermitted: {
    under: ["ForwardingReady", "AnnouncingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "The speaker lacks the right NET_ADMIN or NET_RAW.",
    advice:
      "Let the install namespace run pods with these rights: see Pod Security and policies of the cluster.",
  },
  KernelRefused: {
    under: ["ForwardingReady", "AllServed", "Ready", "Removed"],
    events: ["SpeakerStatus", "Service"],
    when: "The kernel does not take something of what is to be forwarded.",
    advice: "Read the kernel's words in the message, and the node's kernel log.",
  },
  NotVerified: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "The kernel took something, and when it was read back it was not there.",
    advice: "See who else writes IPVS or nftables on the node; it is tried again by itself.",
  },
  Unexpected: {
    under: ["ForwardingReady", "Ready", "Removed"],
    events: ["SpeakerStatus"],
    when: "Forwarding failed in a way that is not known.",
    advice: "It is tried again by itself; if it stays, file an issue with the message and the speaker's log.",
  },
  ForeignService: {
    under: ["ForwardingReady", "Ready"],
    events: ["SpeakerStatus"],
    when: "The kernel has an IPVS service of somebody else where one of ours has to be, so some ports are not forwarded.",
    advice: "Find it by `ipvsadm -Ln` on the node, and remove it or whoever makes it.",
  },
  NotRemoved: {
    under: ["Removed"],
    events: ["SpeakerStatus"],
    when: "What this node put into the kernel cannot be taken away.",
    advice: "Read the message; it is tried again by itself.",
  },
  Announcing: {
    under: ["AnnouncingReady"],
    when: "The node can announce all that is given to it.",
    advice: NOTHING_TO_DO,
  },
  NotListening: {
    under: ["AnnouncingReady"],
    when: "The node announces, but routers cannot begin BGP sessions with it.",
    advice:
      "See what else has port 179 on the node if a router is passive; sessions that this node begins are not hindered.",
  },
  NoPacketSocket: {
    under: ["AnnouncingReady", "Ready"],
    events: ["SpeakerStatus"],
    when: "The node gives the speaker no packet socket.",
    advice: "Read the message; the kernel needs AF_PACKET.",
  },
  LinkFailed: {
    under: ["AnnouncingReady", "Ready"],
    events: ["SpeakerStatus"],
    when: "A link cannot be answered on.",
    advice: "Look at the link that the message names; it is tried again by itself.",
  },
  NoLink: {
    under: ["AnnouncingReady", "Ready"],
    events: ["SpeakerStatus"],
    when: "A pool of layer 2 has no link on this node that is up.",
    advice: "Bring the link up, or correct which links and nodes the pool is announced on.",
  },
  Served: {
    under: ["AllServed"],
    when: "Nothing of Services is left out on this node.",
    advice: NOTHING_TO_DO,
  },
  DuplicateClaim: {
    under: ["AllServed"],
    events: ["Service"],
    when: "Two Services have the same address and port, or the same forwarding id; the older one is served.",
    advice:
      "Delete what the younger one's status has, if somebody wrote it by hand; the controller gives a new one.",
  },
  NodeAddress: {
    under: ["AllServed"],
    events: ["Service"],
    when: "The status of a Service has an address of a node, for which nothing is done.",
    advice: "Find who wrote it into the Service's status, and take the node's addresses out of pools.",
  },
  NoPool: {
    under: ["AllServed"],
    events: ["Service"],
    when: "The status of a Service has an address that is in no pool that counts.",
    advice: "Find who wrote it into the Service's status, or restore the pool.",
  },
  Unusable: {
    under: ["AllServed", "InputsUsable"],
    events: ["Service"],
    when: "An object of the API cannot be read as it is, so it is left out.",
    advice: "Correct the object that the message names.",
  },
  UnusableEndpoint: {
    under: ["AllServed"],
    events: ["Service"],
    when: "An endpoint of a Service cannot be forwarded to, so it is left out; the others are served.",
    advice: "Correct the EndpointSlice, if somebody writes it by hand, or whatever the message names.",
  },
  UnusableAnnotation: {
    under: ["AllServed"],
    events: ["Service"],
    when: "An annotation of a Service asks for something that cannot be done as it is written, so that is left out; the Service is served.",
    advice: "Correct the annotation that the message names.",
  },
  AffinityIgnored: {
    under: ["AllServed"],
    events: ["Service"],
    when: "A Service asks for sessionAffinity ClientIP, and its scheduler does not look at the client.",
    advice:
      "Take one of the two away: the scheduler mh, the default, keeps a client with its pod, and so does sh.",
  },
  AllFailing: {
    under: ["AllServed"],
    events: ["Service"],
    when: "All endpoints of a port fail the checks that their Service asks for, so all of them get connections.",
    advice:
      "See whether the Service's pods are well, and whether its annotations ask them for what they have.",
  },
  TooManyChecks: {
    under: ["AllServed"],
    events: ["Service"],
    when: "Services ask this node for more checks of endpoints than it does, so some endpoints are not checked.",
    advice: "Let the Services with the most endpoints on this node ask less often, by a longer interval.",
  },
  AddressConflict: {
    under: ["AllServed"],
    events: ["Service"],
    when: "A station that is no node of the cluster uses an address of this node.",
    advice: "Take the address from that station, whose hardware address the message has, or out of the pool.",
  },
  Usable: {
    under: ["InputsUsable"],
    when: "All objects that the speaker reads can be used.",
    advice: NOTHING_TO_DO,
  },
  NoDropSeen: {
    under: ["FirewallOpen"],
    when: "No probe was seen to be dropped by the node's firewall.",
    advice: NOTHING_TO_DO,
  },
  FirewallDrops: {
    under: ["FirewallOpen"],
    when: "A firewall of this node drops what other nodes tunnel to it.",
    advice: "Add the two rules that the message has, before those that drop.",
  },
  Heard: {
    under: ["MembersHeard"],
    when: "Every speaker that lives is heard by gossip.",
    advice: NOTHING_TO_DO,
  },
  MembersUnheard: {
    under: ["MembersHeard"],
    when: "Speakers that live by their Leases are not heard by gossip.",
    advice:
      "Let the port of the message through between the nodes (UDP and TCP). While an upgrade goes on, wait: older speakers do not gossip.",
  },
  GossipFailed: {
    under: ["MembersHeard"],
    when: "Gossip does not run on this node.",
    advice: "Read the message: the keys are missing, or another program has the port (spec.membership.port).",
  },
  NoLossSeen: {
    under: ["PathsClear"],
    when: "Nothing that this node sent to others to see whether it arrives was lost.",
    advice: NOTHING_TO_DO,
  },
  LargePacketsLost: {
    under: ["PathsClear"],
    when: "Packets as large as the MTU of the links do not reach another node, small ones do, and no ICMP error says why.",
    advice:
      "Lower the MTU of the nodes' links to what the network between them carries, or let ICMP errors through its firewalls.",
  },
  MulticastLost: {
    under: ["PathsClear"],
    when: "IPv6 multicast does not reach another node: neighbour solicitations to its group get no answer, other packets do.",
    advice: "Look at MLD snooping of the switches between: the segment needs a querier.",
  },
  Sound: {
    under: ["HostSound"],
    when: "Nothing was seen on the node that is in the way.",
    advice: NOTHING_TO_DO,
  },
  ConntrackFull: {
    under: ["HostSound"],
    when: "The kernel's table of tracked connections is full, or nearly so; a full one drops new connections.",
    advice: "Raise net.netfilter.nf_conntrack_max on the node, or find out who opens so many connections.",
  },
  ReversePathDrops: {
    under: ["HostSound"],
    when: "A strict rp_filter drops packets that came in by another link than their answers would leave by.",
    advice: "Set rp_filter of the links that the message names, and of all, to 2 (loose).",
  },
  ClockJumped: {
    under: ["HostSound"],
    when: "The node's clock was set by more than a second within the last 5 minutes, or the machine stood still.",
    advice:
      "See that one program alone sets the clock (chrony or another), and that it steps it at boot only.",
  },
  Sharing: {
    under: ["ConnectionsShared"],
    when: "The node shares its connections with all nodes whose speakers live.",
    advice: NOTHING_TO_DO,
  },
  NoSyncLink: {
    under: ["ConnectionsShared"],
    when: "No Ethernet link of the node has the address that its Node object names, so nothing can be shared by it.",
    advice:
      "Let the Node's InternalIP be an address of an Ethernet link of the node, or set spec.forwarding.connectionSync to false.",
  },
  ForeignSync: {
    under: ["ConnectionsShared"],
    when: "Another program, as keepalived may, has the kernel's sync daemon, of which there is one for each direction.",
    advice: "Stop that program's daemon, or set spec.forwarding.connectionSync to false.",
  },
  SyncRefused: {
    under: ["ConnectionsShared"],
    when: "The kernel refuses to start or stop its sync daemon, with the words that the message has.",
    advice: "Look at what the message says, which is the kernel's own reason.",
  },
  SyncUnheard: {
    under: ["ConnectionsShared"],
    when: "Nothing was heard for 45 s of a node whose speaker lives: the network passes no multicast, or a firewall drops it.",
    advice:
      "Let the network between the nodes pass the multicast group and port that docs/dataplane.md names, or set spec.forwarding.connectionSync to false.",
  },
  Told: {
    under: ["ReceiverTold"],
    when: "No call to the receiver has failed that was not made good.",
    advice: NOTHING_TO_DO,
  },
  ReceiverUnusable: {
    under: ["ReceiverTold"],
    when: "The receiver cannot be called as it is configured: its Secret is missing or is none, or its address is one that speakers never call.",
    advice:
      "Correct spec.layer2.ownerChangedURL, or make the Secret that spec.layer2.ownerChangedSecret names.",
  },
  ReceiverUnreached: {
    under: ["ReceiverTold"],
    when: "The receiver gives no answer, or its certificate is not one that is trusted.",
    advice: "Look whether it runs, whether this node reaches it, and who has signed its certificate.",
  },
  ReceiverRefused: {
    under: ["ReceiverTold"],
    when: "The receiver answers with a status that is no success.",
    advice: "Read the receiver's own log; the message has the status of its answer.",
  },
  AsAsked: {
    under: ["TunnelAsAsked"],
    when: "All nodes whose speakers are ready are sent to as spec.forwarding.tunnel asks.",
    advice: NOTHING_TO_DO,
  },
  NoTunnelEnd: {
    under: ["TunnelAsAsked"],
    when: "The node's kernel refuses the tunnel of spec.forwarding.tunnel, with the words that the message has.",
    advice:
      "Load the kernel's modules on the node: ip_gre and ip6_gre for gre, fou for gue. Until then other nodes send here by ipip.",
  },
  NotTaken: {
    under: ["TunnelAsAsked"],
    when: "Speakers of other nodes do not say that they take the tunnel of spec.forwarding.tunnel.",
    advice:
      "Look at this condition of those nodes. While an upgrade goes on, wait: older speakers take ipip alone.",
  },
  NotOnLink: {
    under: ["TunnelAsAsked"],
    when: "spec.forwarding.tunnel is none, and the node's routes to other nodes, or to their podCIDRs, do not lead straight to them.",
    advice:
      "Nothing has to be done: those nodes are sent to by ipip. For none, all nodes have to be on one layer 2, with routes to podCIDRs by the nodes' own addresses.",
  },
  TakenByKubeProxy: {
    under: ["AllServed"],
    events: ["Service"],
    when: "kube-proxy takes an address and port of ours, because a Service names the address in spec.externalIPs, or has it in its status without ipMode Proxy.",
    advice:
      "Take the address out of that Service's spec.externalIPs or status, and forbid externalIPs to tenants (the admission plugin DenyServiceExternalIPs).",
  },
  InUse: { under: ["Removed"], when: "The node is at work.", advice: NOTHING_TO_DO },
} as const satisfies Meanings;
