// Made by hack/generate.ts out of config/crd. Do not edit: change the CRD and run `make generate`.

import type { V1ObjectMeta } from "@kubernetes/client-node";

/** Metadata as JSON has it: client-node's type says Date where a string arrives, and that a name may be missing. */
export type ObjectMeta = Omit<
  V1ObjectMeta,
  "name" | "creationTimestamp" | "deletionTimestamp" | "managedFields"
> & {
  name: string;
  creationTimestamp?: string;
  deletionTimestamp?: string;
};

/**
 * Which addresses there are, who may have them, and how they are announced.
 */
export interface AddressPoolSpec {
  /**
   * How the addresses are announced. layer2: one node answers ARP and NDP for each address. bgp: nodes advertise routes to the BGPPeers.
   */
  protocol: "layer2" | "bgp";
  /**
   * Prefixes (192.168.10.0/24) or ranges (192.168.10.5-192.168.10.9) of either family. No two pools may share an address.
   *
   * @minItems 1
   * @maxItems 256
   */
  addresses: string[];
  /**
   * Give addresses to Services that do not ask for this pool, too. With false, only to those that ask for it. The default is true.
   */
  autoAssign?: boolean;
  /**
   * Leave out IPv4 addresses that end in 0 or 255, which some old devices do not reach. The default is false.
   */
  avoidBuggyIPs?: boolean;
  /**
   * Which Services may have addresses of this pool, and how early it is asked. A Service must satisfy both the rules for namespaces and those for Services. Without it, all Services may.
   */
  serviceAllocation?: {
    /**
     * Among several pools that may serve a Service, the one with the lower number goes first; 0 or unset goes last.
     */
    priority?: number;
    /**
     * Names of namespaces whose Services may have addresses, beside those that namespaceSelectors select. Where both are empty or unset, all namespaces.
     *
     * @maxItems 256
     */
    namespaces?: string[];
    /**
     * Namespaces whose Services may have addresses, by the namespaces' labels; one selector that matches is enough. They add to the names in namespaces.
     *
     * @maxItems 64
     */
    namespaceSelectors?: {
      /**
       * Labels that must all be there with exactly these values. An empty selector matches everything.
       */
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * Further conditions on labels, all of which must hold, beside matchLabels.
       *
       * @maxItems 64
       */
      matchExpressions?: {
        /**
         * Name of the label that the condition looks at.
         */
        key: string;
        /**
         * In and NotIn compare the label's value with values, and NotIn holds for a missing label, too; Exists and DoesNotExist ask only whether the label is there.
         */
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * Values to compare with; at least one for In and NotIn, none for the other operators.
         *
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
    /**
     * Services that may have addresses, by the Services' labels; one selector that matches is enough. Empty or unset, all Services.
     *
     * @maxItems 64
     */
    serviceSelectors?: {
      /**
       * Labels that must all be there with exactly these values. An empty selector matches everything.
       */
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * Further conditions on labels, all of which must hold, beside matchLabels.
       *
       * @maxItems 64
       */
      matchExpressions?: {
        /**
         * Name of the label that the condition looks at.
         */
        key: string;
        /**
         * In and NotIn compare the label's value with values, and NotIn holds for a missing label, too; Exists and DoesNotExist ask only whether the label is there.
         */
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * Values to compare with; at least one for In and NotIn, none for the other operators.
         *
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
  };
  /**
   * Nodes that may announce the addresses, by the nodes' labels; one selector that matches is enough. Empty or unset, all nodes that run a speaker.
   *
   * @maxItems 64
   */
  nodeSelectors?: {
    /**
     * Labels that must all be there with exactly these values. An empty selector matches everything.
     */
    matchLabels?: {
      [k: string]: string;
    };
    /**
     * Further conditions on labels, all of which must hold, beside matchLabels.
     *
     * @maxItems 64
     */
    matchExpressions?: {
      /**
       * Name of the label that the condition looks at.
       */
      key: string;
      /**
       * In and NotIn compare the label's value with values, and NotIn holds for a missing label, too; Exists and DoesNotExist ask only whether the label is there.
       */
      operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
      /**
       * Values to compare with; at least one for In and NotIn, none for the other operators.
       *
       * @maxItems 256
       */
      values?: string[];
    }[];
  }[];
  /**
   * Names of the nodes' links to announce on, for protocol layer2. Unset, the links whose own prefix has the address, else the link of the node's own address.
   *
   * @maxItems 64
   */
  interfaces?: string[];
  /**
   * How a pool of protocol bgp is advertised; each entry adds a route for the addresses it covers. Empty or unset, each address as a /32 or /128 to all peers.
   *
   * @maxItems 64
   */
  bgpAdvertisements?: {
    /**
     * Prefix length of the routes for IPv4 addresses. The default, 32, is one route for each address; a smaller one joins the addresses of a prefix into one route.
     */
    aggregationLength?: number;
    /**
     * Prefix length of the routes for IPv6 addresses. The default, 128, is one route for each address.
     */
    aggregationLengthV6?: number;
    /**
     * LOCAL_PREF of the routes, where routers of the same AS prefer the higher one. Told to iBGP peers only; 100 if unset.
     */
    localPref?: number;
    /**
     * How many times more the AS number of the speakers stands in the AS path of the routes, where routers of other ASes prefer the shorter one. Told to eBGP peers only; 0 if unset.
     */
    asPathPrepend?: number;
    /**
     * MULTI_EXIT_DISC of the routes, where a router prefers the lower one among routes of one neighbor AS. Unset, the routes have none, which most routers take for 0.
     */
    med?: number;
    /**
     * By what routers spread clients over the nodes that advertise an address. LocalPods tells them how many pods of the Service a node has, in the Link Bandwidth community, where externalTrafficPolicy is Local: routers that heed it send a node with two pods twice as much. Equal says nothing.
     */
    weighting?: "Equal" | "LocalPods";
    /**
     * BGP communities that the routes carry: 65000:100, large:65000:1:2, or a well-known name such as no-export. Unset, none.
     *
     * @maxItems 64
     */
    communities?: string[];
    /**
     * Names of the BGPPeers that hear these routes. Empty or unset, all of them.
     *
     * @maxItems 64
     */
    peers?: string[];
    /**
     * Nodes that advertise these routes, by the nodes' labels; one selector that matches is enough. Empty or unset, all nodes that the pool's own nodeSelectors allow.
     *
     * @maxItems 64
     */
    nodeSelectors?: {
      /**
       * Labels that must all be there with exactly these values. An empty selector matches everything.
       */
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * Further conditions on labels, all of which must hold, beside matchLabels.
       *
       * @maxItems 64
       */
      matchExpressions?: {
        /**
         * Name of the label that the condition looks at.
         */
        key: string;
        /**
         * In and NotIn compare the label's value with values, and NotIn holds for a missing label, too; Exists and DoesNotExist ask only whether the label is there.
         */
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * Values to compare with; at least one for In and NotIn, none for the other operators.
         *
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
    /**
     * Services whose addresses these routes are for, by the Services' labels; one selector that matches is enough, and so is one of the Services that share an address. Empty or unset, all Services of the pool.
     *
     * @maxItems 64
     */
    serviceSelectors?: {
      /**
       * Labels that must all be there with exactly these values. An empty selector matches everything.
       */
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * Further conditions on labels, all of which must hold, beside matchLabels.
       *
       * @maxItems 64
       */
      matchExpressions?: {
        /**
         * Name of the label that the condition looks at.
         */
        key: string;
        /**
         * In and NotIn compare the label's value with values, and NotIn holds for a missing label, too; Exists and DoesNotExist ask only whether the label is there.
         */
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * Values to compare with; at least one for In and NotIn, none for the other operators.
         *
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
  }[];
  /**
   * Services of different namespaces may share an address by one sharing key. With false, the default, those of one namespace only; what is shared already stays.
   */
  shareAcrossNamespaces?: boolean;
  /**
   * How much of this pool the Services of a namespace may have, one entry for each namespace. What they have already they keep when a quota is lowered.
   *
   * @maxItems 256
   */
  quotas?: {
    /**
     * Name of the namespace that the quota is for.
     */
    namespace: string;
    /**
     * How many addresses of the pool the namespace's Services may have, IPv4 and IPv6 together. Unset, as many as there are.
     */
    addresses?: number;
    /**
     * How many ports the namespace's Services may have, each counted once for every address that it is at. Unset, 16 for each of its addresses, and 1024 at least; each costs every node 74 KB of kernel memory.
     */
    ports?: number;
  }[];
}

/**
 * What the controller found; nobody else writes it.
 */
export interface AddressPoolStatus {
  /**
   * The metadata.generation that the status speaks about; if it is less than the object's, a later change is not judged yet.
   */
  observedGeneration?: number;
  /**
   * How many IPv4 addresses of the pool Services have now.
   */
  assignedIPv4?: number;
  /**
   * How many IPv6 addresses of the pool Services have now.
   */
  assignedIPv6?: number;
  /**
   * How many IPv4 addresses can still be given to Services.
   */
  availableIPv4?: number;
  /**
   * How many IPv6 addresses can still be given to Services; shown as 2^53-1 if there are more.
   */
  availableIPv6?: number;
  /**
   * What is true of the object now, one entry for each type. Ready: the same as Valid, for programs that wait. Valid: the pool obeys all rules; one that does not gives no new addresses.
   *
   * @maxItems 16
   */
  conditions?: {
    /**
     * Which question this entry answers; there is one entry for each.
     */
    type: string;
    /**
     * True or False is the answer; Unknown where it cannot be told.
     */
    status: "True" | "False" | "Unknown";
    /**
     * Why the status is as it is, in one word for programs.
     */
    reason: string;
    /**
     * Why the status is as it is, in words for people; may be empty.
     */
    message: string;
    /**
     * When the status last changed from one value to another.
     */
    lastTransitionTime: string;
    /**
     * The metadata.generation that the entry speaks about; if it is less than the object's, a later change is not judged yet.
     */
    observedGeneration?: number;
  }[];
}

/** Addresses to give to Services, and how they are announced. */
export interface AddressPool {
  /** Items of a list do not say what they are. */
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: AddressPoolSpec;
  status?: AddressPoolStatus;
}

/**
 * Timers of the sessions whose BGPPeers name this profile. Each field that is unset has its default.
 */
export interface BFDProfileSpec {
  /**
   * Shortest time between two packets that this node accepts, in milliseconds; the peer sends no faster. 300 if unset.
   */
  receiveInterval?: number;
  /**
   * Time in milliseconds after which this node wants to send the next packet; it waits longer if the peer accepts only slower ones. 300 if unset.
   */
  transmitInterval?: number;
  /**
   * How many of this node's packets in a row the peer must miss before it takes the path for dead. The peer sets the number for the other direction. 3 if unset.
   */
  detectMultiplier?: number;
  /**
   * Time between two echo packets, in milliseconds; of effect only with echoMode. 50 if unset.
   */
  echoInterval?: number;
  /**
   * Send packets that the router's forwarding returns, so that the path is tested without the router's BFD. For IPv4 peers one hop away; for others it has no effect. Off if unset.
   */
  echoMode?: boolean;
  /**
   * Send nothing until the peer has sent its first packet. Off if unset, then both sides begin.
   */
  passiveMode?: boolean;
  /**
   * Drop packets of the peer that arrive with a smaller TTL or hop limit than this; only for peers several hops away. Unset, any is accepted.
   */
  minimumTtl?: number;
}

/**
 * What the controller found; nobody else writes it.
 */
export interface BFDProfileStatus {
  /**
   * The metadata.generation that the status speaks about; if it is less than the object's, a later change is not judged yet.
   */
  observedGeneration?: number;
  /**
   * How many BGPPeers name this profile.
   */
  peers?: number;
  /**
   * What is true of the object now, one entry for each type. Ready: the same as Valid, for programs that wait. Valid: the profile obeys all rules.
   *
   * @maxItems 16
   */
  conditions?: {
    /**
     * Which question this entry answers; there is one entry for each.
     */
    type: string;
    /**
     * True or False is the answer; Unknown where it cannot be told.
     */
    status: "True" | "False" | "Unknown";
    /**
     * Why the status is as it is, in one word for programs.
     */
    reason: string;
    /**
     * Why the status is as it is, in words for people; may be empty.
     */
    message: string;
    /**
     * When the status last changed from one value to another.
     */
    lastTransitionTime: string;
    /**
     * The metadata.generation that the entry speaks about; if it is less than the object's, a later change is not judged yet.
     */
    observedGeneration?: number;
  }[];
}

/** Timers of BFD sessions. */
export interface BFDProfile {
  /** Items of a list do not say what they are. */
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: BFDProfileSpec;
  status?: BFDProfileStatus;
}

/**
 * Where the router is, which nodes hold a session with it, and how.
 */
export interface BGPPeerSpec {
  /**
   * AS number of the speakers, the same on all BGPPeers.
   */
  myASN: number;
  /**
   * AS number of the router; if it is that of the speakers, the session is iBGP. Either this or dynamicASN must be set.
   */
  peerASN?: number;
  /**
   * Take the AS number that the router says in its OPEN message. internal: it must be that of the speakers. external: it must be another. Only instead of peerASN.
   */
  dynamicASN?: "internal" | "external";
  /**
   * AS number to show to this peer instead of myASN. Unset, myASN.
   */
  localASN?: number;
  /**
   * IPv4 or IPv6 address of the router. A link-local one (fe80::/10) needs interface, too, for it is one of a link. Exactly one of this, interface, defaultGateway and listenRange must be set otherwise.
   */
  peerAddress?: string;
  /**
   * Name of the nodes' link on which the router tells its link-local address by router advertisements (an unnumbered session), or on which it has the link-local address peerAddress.
   */
  interface?: string;
  /**
   * The router is each node's own default gateway of this family, as the node's kernel has it. Sessions follow when the route changes; while there is none they stay with the last one.
   */
  defaultGateway?: "IPv4" | "IPv6";
  /**
   * Prefix of routers that connect to the nodes, such as 10.0.0.0/24. The nodes connect to none of them, and hold a session with each one that has connected.
   */
  listenRange?: string;
  /**
   * How many routers of listenRange may have a session with one node at the same time; more are refused. Unset, 16.
   */
  maximumSessions?: number;
  /**
   * Name of the nodes' VRF device that the session goes through; interface is a link of it then. The router gets next hops of the session's own link alone.
   */
  vrf?: string;
  /**
   * TCP port of the router that the speakers connect to. The default is 179.
   */
  peerPort?: number;
  /**
   * Address that the nodes connect from. A node without it cannot connect. Unset, the node's kernel chooses.
   */
  sourceAddress?: string;
  /**
   * What the router is told as next hop of IPv4 prefixes. self: the node, by its address on the link towards the router. InternalIP: the node's own IPv4 InternalIP, wherever it is, such as on lo. Or an IPv4 address, the same on all nodes: a router in front of them, or an address that they share. The router must know a way there. A node that has none keeps the prefixes back. Unset, self.
   */
  nextHop?: string;
  /**
   * The same of IPv6 prefixes: self, InternalIP or an IPv6 address that is not link-local. With self, the router is told the node's link-local address, too, if it is on the node's link. Unset, self.
   */
  nextHopV6?: string;
  /**
   * How long either side may be silent before the session ends, a duration such as 90s: 3s to 65535s. The smaller value of the two sides counts. 0 or unset: 90s.
   */
  holdTime?: string;
  /**
   * How often the speaker says that it is alive, a duration such as 30s; never less often than three times in the hold time that both sides agreed on. 0 or unset: a third of that hold time.
   */
  keepaliveTime?: string;
  /**
   * Longest pause between two attempts to connect, a duration of whole seconds from 1s to 65535s; the pauses double up to it. 0 or unset: 10s.
   */
  connectTime?: string;
  /**
   * End the session when the router advertises more prefixes than this (RFC 4486), and try again after pauses that grow to an hour. Unset, no number of prefixes ends it: none of them is used.
   */
  maximumPrefixes?: number;
  /**
   * BGP identifier of the speakers, written as an IPv4 address; the same on all BGPPeers that set one. Unset, the IPv4 address of each node; a node without one needs it.
   */
  routerID?: string;
  /**
   * Nodes that hold a session with the router, by the nodes' labels; one selector that matches is enough. Empty or unset, all nodes that run a speaker.
   *
   * @maxItems 64
   */
  nodeSelectors?: {
    /**
     * Labels that must all be there with exactly these values. An empty selector matches everything.
     */
    matchLabels?: {
      [k: string]: string;
    };
    /**
     * Further conditions on labels, all of which must hold, beside matchLabels.
     *
     * @maxItems 64
     */
    matchExpressions?: {
      /**
       * Name of the label that the condition looks at.
       */
      key: string;
      /**
       * In and NotIn compare the label's value with values, and NotIn holds for a missing label, too; Exists and DoesNotExist ask only whether the label is there.
       */
      operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
      /**
       * Values to compare with; at least one for In and NotIn, none for the other operators.
       *
       * @maxItems 256
       */
      values?: string[];
    }[];
  }[];
  /**
   * Password that signs the connection by TCP MD5 (RFC 2385), or by TCP-AO where tcpAO is set, at most 80 octets. Who may read BGPPeers can read it: passwordSecret hides it. Empty or unset, no signature.
   */
  password?: string;
  /**
   * Secret of type kubernetes.io/basic-auth in this namespace; its key `password` is used. The session waits until it is there. Only instead of password.
   */
  passwordSecret?: {
    /**
     * Name of the Secret to read.
     */
    name: string;
    /**
     * Namespace of the Secret: that of the BGPPeer, no other is accepted. Empty or unset, the same.
     */
    namespace?: string;
  };
  /**
   * Sign the connection by TCP-AO (RFC 5925) and not by MD5; the key is that of passwordSecret or password. The nodes need Linux 6.7 or later, built with CONFIG_TCP_AO. On another node there is no session, and its report says why.
   */
  tcpAO?: {
    /**
     * KeyID in the segments that the nodes send, which is the ID that the router receives.
     */
    sendID: number;
    /**
     * KeyID in the segments that the router sends.
     */
    receiveID: number;
    /**
     * How segments are signed (RFC 5926), the same at both ends. The default is HMAC-SHA-1-96.
     */
    algorithm?: "HMAC-SHA-1-96" | "AES-128-CMAC-96";
  };
  /**
   * The router, of another AS, may be more than one hop away. With false, the default, it must be on a network of the node. iBGP needs no such permission.
   */
  ebgpMultiHop?: boolean;
  /**
   * Refuse packets of the router that come over more hops than this (RFC 5082); 1 is a neighbour. The router must send with TTL 255. Unset, none are refused for it.
   */
  ttlSecurityHops?: number;
  /**
   * Name of the BFDProfile for a BFD session beside the BGP session, which ends when BFD loses the path. The BGP session waits until the profile is there. Empty or unset, no BFD.
   */
  bfdProfile?: string;
  /**
   * Whether the router speaks BFD over several hops (RFC 5883, port 4784) or over one (RFC 5881, port 3784), which must be the same at both ends. Unset: several with ebgpMultiHop; one with other eBGP peers, and with routers on a network of the node's own links.
   */
  bfdMultiHop?: boolean;
  /**
   * Ask the router to keep the routes while a speaker is replaced (RFC 4724), up to gracefulRestartTime. The default is false: it drops them at once. On a node that is drained or shut down they are withdrawn in any case.
   */
  enableGracefulRestart?: boolean;
  /**
   * How long the router is asked to keep the routes of a speaker that restarts, a duration of whole seconds from 1s to 4095s; longer than a pod takes to be replaced. If the node itself is gone, the router forwards to it in vain until then. 0 or unset: 30s.
   */
  gracefulRestartTime?: string;
  /**
   * What we are to the router, of another AS (RFC 9234). It is told, and a router that says a role which does not fit gets no session: Customer fits Provider, RouteServerClient fits RouteServer, Peer fits Peer. As Provider, RouteServer or Peer our routes are marked, so that the router tells them to its customers only. Unset, no role is told, and any is taken.
   */
  role?: "Provider" | "RouteServer" | "RouteServerClient" | "Customer" | "Peer";
  /**
   * Exchange IPv4 and IPv6 routes over this session. With false, the default, only those of peerAddress' family. Sessions with interface always exchange both.
   */
  dualStackAddressFamily?: boolean;
}

/**
 * What the speakers report of their sessions, brought together by the controller.
 */
export interface BGPPeerStatus {
  /**
   * The metadata.generation that the status speaks about; if it is less than the object's, a later change is not judged yet.
   */
  observedGeneration?: number;
  /**
   * How many of the nodes' sessions with the router are established.
   */
  establishedSessions?: number;
  /**
   * How many nodes hold a session with the router or should hold one.
   */
  configuredSessions?: number;
  /**
   * Node, time and cause of the last error of any of the sessions. Absent until there was one.
   */
  lastLoss?: string;
  /**
   * What is true of the object now, one entry for each type. Ready: the same as Valid, for programs that wait. Valid: the peer obeys all rules. Established: all sessions that should be are established.
   *
   * @maxItems 16
   */
  conditions?: {
    /**
     * Which question this entry answers; there is one entry for each.
     */
    type: string;
    /**
     * True or False is the answer; Unknown where it cannot be told.
     */
    status: "True" | "False" | "Unknown";
    /**
     * Why the status is as it is, in one word for programs.
     */
    reason: string;
    /**
     * Why the status is as it is, in words for people; may be empty.
     */
    message: string;
    /**
     * When the status last changed from one value to another.
     */
    lastTransitionTime: string;
    /**
     * The metadata.generation that the entry speaks about; if it is less than the object's, a later change is not judged yet.
     */
    observedGeneration?: number;
  }[];
}

/** A router that speakers hold BGP sessions with. */
export interface BGPPeer {
  /** Items of a list do not say what they are. */
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: BGPPeerSpec;
  status?: BGPPeerStatus;
}

/**
 * How controller and speakers run and forward. Each field that is unset has its default.
 */
export interface LoadBalancerSpec {
  /**
   * Labels that a node must have to run a speaker, all of them. Empty or unset, all Linux nodes.
   */
  nodeSelector?: {
    [k: string]: string;
  };
  /**
   * Taints of nodes that do not keep the speakers away, beside that of control plane nodes, which never does. Unset, no further ones.
   *
   * @maxItems 64
   */
  speakerTolerations?: {
    /**
     * Name of the taint. Empty or unset with operator Exists, every taint.
     */
    key?: string;
    /**
     * Equal: the taint must have this value. Exists: any value will do. Unset, Equal.
     */
    operator?: "Exists" | "Equal";
    /**
     * Value that the taint must have with operator Equal; unset is the empty value.
     */
    value?: string;
    /**
     * The effect of the taints that are meant. Unset, all of them.
     */
    effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
    /**
     * How many seconds a pod may stay after a taint of effect NoExecute came; 0 or less is not at all. Unset, for ever.
     */
    tolerationSeconds?: number;
  }[];
  /**
   * Labels that a node must have to run a controller, all of them. Empty or unset, all Linux nodes.
   */
  controllerNodeSelector?: {
    [k: string]: string;
  };
  /**
   * Taints of nodes that do not keep the controllers away. Unset, none.
   *
   * @maxItems 64
   */
  controllerTolerations?: {
    /**
     * Name of the taint. Empty or unset with operator Exists, every taint.
     */
    key?: string;
    /**
     * Equal: the taint must have this value. Exists: any value will do. Unset, Equal.
     */
    operator?: "Exists" | "Equal";
    /**
     * Value that the taint must have with operator Equal; unset is the empty value.
     */
    value?: string;
    /**
     * The effect of the taints that are meant. Unset, all of them.
     */
    effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
    /**
     * How many seconds a pod may stay after a taint of effect NoExecute came; 0 or less is not at all. Unset, for ever.
     */
    tolerationSeconds?: number;
  }[];
  /**
   * How many controllers run; one of them leads, all answer webhooks. The default is 2.
   */
  controllerReplicas?: number;
  /**
   * Secrets of the install namespace by which controllers and speakers are pulled from a private registry. Unset, what their ServiceAccounts have, or what the nodes themselves are given.
   *
   * @maxItems 16
   */
  imagePullSecrets?: {
    /**
     * Name of the Secret, of type kubernetes.io/dockerconfigjson.
     */
    name: string;
  }[];
  /**
   * The least severe records that controller and speakers write: all writes everything, none nothing. The default is info. A change counts at once, and restarts nothing.
   */
  logLevel?: "all" | "debug" | "info" | "warn" | "error" | "none";
  /**
   * Where controller and speakers send traces of what a Service's addresses and ports wait for, from the watch event to the announcement. Unset, they trace nothing. A change counts at once, and restarts nothing.
   */
  tracing?: {
    /**
     * Base URL of a collector that takes OTLP over HTTP in JSON; /v1/traces is put behind it, as in http://192.0.2.9:4318. Take an address rather than a name: the controller's NetworkPolicy lets no question to a name server through.
     */
    endpoint: string;
  };
  /**
   * How metrics of controller and speakers are read. Token, the default: over HTTPS, with a bearer token whose holder may get /metrics (ClusterRole genkan-metrics-reader). Loopback: over HTTP at the port of health, from the same network namespace alone, for an agent on the node.
   */
  metricsAccess?: "Token" | "Loopback";
  /**
   * Whether controllers serve the console, a web page that shows what genkan status and explain say. Off, the default: they do not, and may read nothing for it. Loopback: over HTTP at port 8081 of the pod's loopback, so that kubectl port-forward alone reaches it; whoever looks needs a bearer token, and sees what they may list themselves.
   */
  consoleAccess?: "Off" | "Loopback";
  /**
   * Whether speakers measure what comes in for each Service, by the counters of the kernel's IPVS. Off, the default: they do not. Measured: every ten seconds they read the counters, show them as metrics with the label service, of 500 Services a node at most, and report the 50 busiest Services in their SpeakerStatus, where the console shows them. Above fifty nodes they do so less often, so that all of them write five times a second at most. Without effect in mode KubeProxy.
   */
  serviceTraffic?: "Off" | "Measured";
  /**
   * Serve only Services of this spec.loadBalancerClass. Unset, only Services that name none.
   */
  loadBalancerClass?: string;
  /**
   * Give Services that have addresses the finalizer service.kubernetes.io/load-balancer-cleanup, so that a deleted Service stays until its addresses are withdrawn. A Service cannot go then while no controller runs. With false, the default, no Service gets it, and those that have it of Genkan lose it.
   */
  cleanupFinalizer?: boolean;
  /**
   * Let nodes with the label node.kubernetes.io/exclude-from-external-load-balancers attract traffic as well, for clusters all of whose nodes bear it. With false, the default, they attract none.
   */
  ignoreExcludeLabel?: boolean;
  /**
   * What else the controllers' pods are given.
   */
  controllerConfig?: {
    /**
     * Priority class of the pods: who must go when a node is full. Unset, system-cluster-critical for controllers and system-node-critical for speakers.
     */
    priorityClassName?: string;
    /**
     * Container runtime that runs the pods, by the name of its RuntimeClass. Unset, the node's default.
     */
    runtimeClassName?: string;
    /**
     * Profile of seccomp that the pods get: a file below the kubelet's directory for them, on each node before the pods are, for example genkan-speaker.json. Unset, the container runtime's default.
     */
    seccompProfile?: string;
    /**
     * Profile of AppArmor that the pods get, by its name, loaded on each node before the pods are, for example genkan-speaker. Unset, what the container runtime applies.
     */
    appArmorProfile?: string;
    /**
     * Which nodes the pods prefer or need, as in a pod's spec; it replaces the default. Unset, controllers keep apart from each other, speakers have none.
     */
    affinity?: {
      [k: string]: unknown;
    };
    /**
     * Annotations to set on the pods, for other programs to read. Unset, none.
     */
    annotations?: {
      [k: string]: string;
    };
    /**
     * How much the container of a pod reserves and may use; it replaces the defaults as a whole. Unset, 20m of CPU for a controller, 50m for a speaker, 96Mi of memory for each, and no limits.
     */
    resources?: {
      /**
       * What a node must have free for the pod, by resource: cpu (cores, 20m is 0.02) and memory (octets, 96Mi).
       */
      requests?: {
        [k: string]: number | string;
      };
      /**
       * What the container may use at most, by resource: more cpu is slowed down, more memory ends it. Unset, no limit.
       */
      limits?: {
        [k: string]: number | string;
      };
    };
  };
  /**
   * What else the speakers' pods are given.
   */
  speakerConfig?: {
    /**
     * Priority class of the pods: who must go when a node is full. Unset, system-cluster-critical for controllers and system-node-critical for speakers.
     */
    priorityClassName?: string;
    /**
     * Container runtime that runs the pods, by the name of its RuntimeClass. Unset, the node's default.
     */
    runtimeClassName?: string;
    /**
     * Profile of seccomp that the pods get: a file below the kubelet's directory for them, on each node before the pods are, for example genkan-speaker.json. Unset, the container runtime's default.
     */
    seccompProfile?: string;
    /**
     * Profile of AppArmor that the pods get, by its name, loaded on each node before the pods are, for example genkan-speaker. Unset, what the container runtime applies.
     */
    appArmorProfile?: string;
    /**
     * Which nodes the pods prefer or need, as in a pod's spec; it replaces the default. Unset, controllers keep apart from each other, speakers have none.
     */
    affinity?: {
      [k: string]: unknown;
    };
    /**
     * Annotations to set on the pods, for other programs to read. Unset, none.
     */
    annotations?: {
      [k: string]: string;
    };
    /**
     * How much the container of a pod reserves and may use; it replaces the defaults as a whole. Unset, 20m of CPU for a controller, 50m for a speaker, 96Mi of memory for each, and no limits.
     */
    resources?: {
      /**
       * What a node must have free for the pod, by resource: cpu (cores, 20m is 0.02) and memory (octets, 96Mi).
       */
      requests?: {
        [k: string]: number | string;
      };
      /**
       * What the container may use at most, by resource: more cpu is slowed down, more memory ends it. Unset, no limit.
       */
      limits?: {
        [k: string]: number | string;
      };
    };
  };
  /**
   * How nodes forward what arrives for a Service's address.
   */
  forwarding?: {
    /**
     * IPVS, the default, forwards by ourselves: flows survive a move and pods see the client. KubeProxy leaves forwarding to kube-proxy.
     */
    mode?: "IPVS" | "KubeProxy";
    /**
     * How IPVS chooses a pod. Only mh, the default, picks the same pod on every node; with another one flows break when their address moves.
     */
    scheduler?: "mh" | "sh" | "dh" | "rr" | "wrr" | "lc" | "wlc" | "sed" | "nq";
    /**
     * How a node sends to a pod of another node. ipip, the default, is IP in IP (protocols 4 and 41), gre is GRE (protocol 47), gue is UDP to port 7476, for networks that pass nothing else. none sends packets as they are, which needs all nodes on one layer 2 with routes to the podCIDRs of the others by their own addresses. Nodes that cannot be sent to so are sent to by ipip, and the condition TunnelAsAsked of the SpeakerStatus names them.
     */
    tunnel?: "ipip" | "gre" | "gue" | "none";
    /**
     * Whether nodes tell each other of their connections, by multicast on the node network, so that a flow goes on though the list of pods has changed since it began and its address moves after that. When absent, they do in mode IPVS with a tunnel, if there is more than one node. Each node then keeps all connections of the cluster in its kernel's memory.
     */
    connectionSync?: boolean;
    /**
     * Whether a node gives new connections to its own pods while it has some that serve, which spares the way to another node. Pods get as much as comes to their node, which may be uneven. Nodes then choose other pods, each its own, so it needs connectionSync.
     */
    preferLocal?: boolean;
    /**
     * Direct, the default, lets the pod's node answer the client. SNAT reaches pods of other nodes with this node's address as source, so that answers come back through it, for networks that drop foreign source addresses. Those pods do not see the client's address, and open connections break when their address moves.
     */
    returnPath?: "Direct" | "SNAT";
  };
  /**
   * Who owns an address of a layer2 pool, and when another node takes over.
   */
  layer2?: {
    /**
     * What the owner of an address does where a station that is no node of the cluster uses it, too. defend, the default: it tells the neighbours again, every 10 s at most. yield: when the station goes on after that, it stops answering for the address, and takes it back when nobody else answers for it any more, which is asked every minute.
     */
    addressConflict?: "defend" | "yield";
    /**
     * How the death of an owner is noticed. Not supported yet: setting it is refused.
     */
    failureDetection?: {
      /**
       * Time between two probes of an owner, in milliseconds. Not supported yet.
       */
      probeInterval?: number;
      /**
       * How many probes in a row an owner may miss before it counts as dead. Not supported yet.
       */
      multiplier?: number;
    };
    /**
     * When a node hands its addresses over to nodes that stay, before its pods end. Cordon, the default: as soon as it is cordoned, which is how a drain begins, or is about to be removed. Taint: only when it is about to be removed, which its deletion, its kubelet's shutdown, a taint of an autoscaler or one of drainTaints says. None: never; the node owns its addresses until its speaker ends.
     */
    drain?: "Cordon" | "Taint" | "None";
    /**
     * Keys of further taints of nodes that are about to be removed. Unset, none.
     *
     * @maxItems 16
     */
    drainTaints?: string[];
    /**
     * Whether an owner keeps its addresses when a node joins or returns. Sticky, the default: an address stays with its owner as long as that node may own it; `genkan rebalance` spreads addresses anew. Balanced: every address is always with the node that comes first in its election, so that addresses spread by themselves, and some move with every node that comes.
     */
    stickiness?: "Sticky" | "Balanced";
    /**
     * Where a node's speaker sends a signed call (HTTPS, POST) when the node has become the owner of addresses, for networks in which ARP moves no address: the receiver changes a route or moves a secondary address. Unset, no calls. Loopback, link-local addresses and metadata services are never called.
     */
    ownerChangedURL?: string;
    /**
     * Name of the Secret of the install namespace, of type genkan.dev/owner-changed, by whose `key` the calls are signed (HMAC with SHA-256; 16 octets at least). If it has `ca.crt`, the receiver's certificate has to be of one of these authorities; else of one that everybody trusts.
     */
    ownerChangedSecret?: string;
  };
  /**
   * How the speakers tell each other that they are alive: by gossip between the nodes' own addresses, beside their Leases.
   */
  membership?: {
    /**
     * Port on the nodes that the speakers hear each other at, UDP and TCP. Unset, 7474. While it is changed, deaths are noticed by Leases.
     */
    port?: number;
    /**
     * Name of the nodes' link that the speakers talk over. Not supported yet; setting it is refused.
     */
    interface?: string;
  };
}

/**
 * How the installation is, as the operator sees it; nobody else writes it.
 */
export interface LoadBalancerStatus {
  /**
   * The metadata.generation that the status speaks about; if it is less than the object's, a later change is not applied yet.
   */
  observedGeneration?: number;
  /**
   * What is true of the object now, one entry for each type. Available: everything that the spec asks for runs. Progressing: a change is on its way. Degraded: something is wrong. Upgradeable: an upgrade may begin. Valid: the spec obeys all rules. Ready: Available, and nothing is on its way. Contested: somebody else keeps changing what the operator made.
   *
   * @maxItems 16
   */
  conditions?: {
    /**
     * Which question this entry answers; there is one entry for each.
     */
    type: string;
    /**
     * True or False is the answer; Unknown where it cannot be told.
     */
    status: "True" | "False" | "Unknown";
    /**
     * Why the status is as it is, in one word for programs.
     */
    reason: string;
    /**
     * Why the status is as it is, in words for people; may be empty.
     */
    message: string;
    /**
     * When the status last changed from one value to another.
     */
    lastTransitionTime: string;
    /**
     * The metadata.generation that the entry speaks about; if it is less than the object's, a later change is not judged yet.
     */
    observedGeneration?: number;
  }[];
  /**
   * How many speakers there should be, and how many there are.
   */
  speakers?: {
    /**
     * How many pods there should be.
     */
    desired?: number;
    /**
     * How many pods run and are ready for work.
     */
    ready?: number;
  };
  /**
   * How many controllers there should be, and how many there are.
   */
  controllers?: {
    /**
     * How many pods there should be.
     */
    desired?: number;
    /**
     * How many pods run and are ready for work.
     */
    ready?: number;
  };
}

/** The installation: from this one object the operator makes the controller and the speakers. Its name is `loadbalancer`. */
export interface LoadBalancer {
  /** Items of a list do not say what they are. */
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  spec: LoadBalancerSpec;
  status?: LoadBalancerStatus;
}

/**
 * What the speaker last reported.
 */
export interface SpeakerState {
  /**
   * Name of the node that the speaker runs on.
   */
  node?: string;
  /**
   * Which build of the speaker runs.
   */
  build?: string;
  /**
   * The metadata.generation of the LoadBalancer that the speaker follows.
   */
  observedGeneration?: number;
  /**
   * How many addresses this node answers for, those that the list below has no room for included.
   */
  ownedCount?: number;
  /**
   * Addresses that this node answers for by ARP or NDP, at most 1000 of them.
   *
   * @maxItems 1000
   */
  addresses?: {
    /**
     * One IPv4 or IPv6 address of a layer2 pool.
     */
    address: string;
    /**
     * One of the Services that have it, as namespace/name.
     */
    service?: string;
    /**
     * Names of the node's links that it is announced on.
     *
     * @maxItems 64
     */
    links?: string[];
    /**
     * Since when this node owns it, as far as its present speaker knows.
     */
    since?: string;
    /**
     * Why this node owns it: nobody had it before, or from which node it took it over, and why.
     */
    reason?: string;
  }[];
  /**
   * Addresses that this node answered for before, the latest last, at most 200 of them: the record that genkan history shows. It is written with the addresses, never by itself.
   *
   * @maxItems 200
   */
  formerAddresses?: {
    /**
     * One IPv4 or IPv6 address of a layer2 pool.
     */
    address: string;
    /**
     * One of the Services that had it, as namespace/name.
     */
    service?: string;
    /**
     * Since when this node had it, as far as its speaker knew.
     */
    since?: string;
    /**
     * When it answered for it no more.
     */
    until: string;
    /**
     * Why this node had come to own it.
     */
    reason?: string;
  }[];
  /**
   * What comes in at this node for Services, by the counters of the kernel's IPVS, as an average of the last ten seconds or longer, rounded up to two figures. What pods answer goes past the node and is in no count. It is there with spec.serviceTraffic of the LoadBalancer alone.
   */
  traffic?: {
    /**
     * New connections of all Services in a minute.
     */
    connectionsPerMinute: number;
    /**
     * Packets of all Services in a second.
     */
    packetsPerSecond: number;
    /**
     * Bytes of all Services in a second, with IP headers.
     */
    bytesPerSecond: number;
    /**
     * How many Services packets came for.
     */
    busyServices: number;
    /**
     * The 50 of them with most bytes, those first.
     *
     * @maxItems 50
     */
    services: {
      /**
       * The Service, as namespace/name.
       */
      service: string;
      /**
       * New connections in a minute.
       */
      connectionsPerMinute: number;
      /**
       * Packets in a second.
       */
      packetsPerSecond: number;
      /**
       * Bytes in a second, with IP headers.
       */
      bytesPerSecond: number;
    }[];
  };
  /**
   * Links of the node that have an address of its own, at most 64 of them.
   *
   * @maxItems 64
   */
  links?: {
    /**
     * Name of the link in the node's kernel.
     */
    name: string;
    /**
     * Whether the link is up and can send.
     */
    hasCarrier?: boolean;
  }[];
  /**
   * What the node's kernel forwards for the addresses of Services.
   */
  forwarding?: {
    /**
     * Who forwards, as the LoadBalancer says: IPVS or KubeProxy. After a change to IPVS, kube-proxy does until programmed is true on all nodes; after one to KubeProxy, IPVS does until kube-proxy has been told of all addresses.
     */
    mode?: string;
    /**
     * Whether all that the speaker knew was put into the kernel and read back once, since it began to forward by IPVS. Absent before that, and where kube-proxy forwards.
     */
    programmed?: boolean;
    /**
     * How many virtual servers of IPVS there are: one for each address, protocol and port of a Service.
     */
    virtualServers?: number;
    /**
     * How many pods stand behind them, each counted once for every virtual server.
     */
    realServers?: number;
    /**
     * How many changes the last pass that changed anything wrote to the kernel.
     */
    lastWrites?: number;
    /**
     * Sums of hashes of what IPVS has for each port of a Service, read back at the end of a pass. Its length does not depend on how many there are. genkan explain finds out by it whether nodes have the same for one Service. Absent before the first whole pass, and where kube-proxy forwards.
     */
    digest?: string;
  };
  /**
   * How many addresses this node advertises by BGP. Absent on a node without BGP.
   */
  advertisedCount?: number;
  /**
   * BGPPeers with which an earlier speaker of this node had sessions that are not back yet. For a minute at most, the speaker is not ready while there are any, so that a rolling update waits for them. Absent if there is none.
   *
   * @maxItems 128
   */
  formerSessions?: string[];
  /**
   * BGP sessions that this node holds or should hold, by peer, at most 128 of them.
   *
   * @maxItems 128
   */
  bgpSessions?: {
    /**
     * Name of the BGPPeer that asks for the session.
     */
    peer: string;
    /**
     * Address of the router. Absent while it is not known.
     */
    address?: string;
    /**
     * State of RFC 4271, or Withheld where the session cannot be tried; lastError says why.
     */
    state: "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established" | "Withheld";
    /**
     * When the session was established. Absent while it is not.
     */
    since?: string;
    /**
     * AS number that the router said. Absent until it has said one.
     */
    remoteASN?: number;
    /**
     * How long either side may be silent before the session ends, in seconds, as both sides agreed.
     */
    holdTime?: number;
    /**
     * How many prefixes this node advertises to the router.
     */
    advertised?: number;
    /**
     * How many prefixes this node does not advertise to the router, since their communities are longer than a message to this router may be. Absent if there is none.
     */
    keptBack?: number;
    /**
     * How many prefixes this node does not advertise to the router, since it has no next hop of their family towards it. Absent if there is none.
     */
    withoutNextHop?: number;
    /**
     * How many prefixes the router advertises to this node; none of them is used. warning says so where there are more.
     */
    received?: number;
    /**
     * How often the session was established and then lost, since the speaker has held it.
     */
    losses?: number;
    /**
     * What last went wrong with the session. Absent if nothing has.
     */
    lastError?: string;
    /**
     * When that went wrong.
     */
    lastErrorTime?: string;
    /**
     * What should be changed at the router though the session works. Absent if there is nothing.
     */
    warning?: string;
  }[];
  /**
   * BFD sessions that this node holds beside its BGP sessions, at most 128 of them.
   *
   * @maxItems 128
   */
  bfdSessions?: {
    /**
     * Name of the BGPPeer that asks for the session.
     */
    peer: string;
    /**
     * Address of the router that is watched.
     */
    address?: string;
    /**
     * State of RFC 5880. Up: both sides hear each other. AdminDown: switched off on purpose.
     */
    state: "AdminDown" | "Down" | "Init" | "Up";
    /**
     * Why the state last changed, in the terms of RFC 5880.
     */
    diagnostic?: string;
    /**
     * When the session came into this state.
     */
    since?: string;
    /**
     * After how much silence of the router the path counts as dead, in milliseconds.
     */
    detectionTime?: number;
    /**
     * How often the session was up and then lost the path, since the speaker has held it.
     */
    losses?: number;
    /**
     * Why the session does not work, or not as its BFDProfile asks for. Absent if nothing is wrong.
     */
    problem?: string;
  }[];
  /**
   * How the kernel schedules the thread that keeps BFD's time. fifo: before all ordinary work. normal, and why: timers may be raised, for packets can be late.
   */
  bfdScheduling?: string;
  /**
   * Why the speaker's last pass failed. Absent if it did not.
   */
  lastError?: string;
  /**
   * What is true of the object now, one entry for each type. Ready: the node announces and forwards. ForwardingReady, AnnouncingReady: the two halves of that. AllServed: no Service is left out. InputsUsable: no object of the API is left out. FirewallOpen: the node's firewall lets other nodes' tunnels in. PathsClear: packets of full size and IPv6 multicast reach other nodes. HostSound: nothing on the node itself drops connections. Removed: all that the speaker made on the node is gone.
   *
   * @maxItems 16
   */
  conditions?: {
    /**
     * Which question this entry answers; there is one entry for each.
     */
    type: string;
    /**
     * True or False is the answer; Unknown where it cannot be told.
     */
    status: "True" | "False" | "Unknown";
    /**
     * Why the status is as it is, in one word for programs.
     */
    reason: string;
    /**
     * Why the status is as it is, in words for people; may be empty.
     */
    message: string;
    /**
     * When the status last changed from one value to another.
     */
    lastTransitionTime: string;
    /**
     * The metadata.generation that the entry speaks about; if it is less than the object's, a later change is not judged yet.
     */
    observedGeneration?: number;
  }[];
}

/** What the speaker of one node does. Written by that speaker alone; its name is the node's. */
export interface SpeakerStatus {
  /** Items of a list do not say what they are. */
  apiVersion?: string;
  kind?: string;
  metadata: ObjectMeta;
  status?: SpeakerState;
}
