// Made by hack/generate.ts out of config/crd. Do not edit: change the CRD and run `make generate`.

import type { V1ObjectMeta } from "@kubernetes/client-node";

/** Metadata as JSON has it: client-node's type says Date where a string arrives. */
export type ObjectMeta = Omit<V1ObjectMeta, "creationTimestamp" | "deletionTimestamp" | "managedFields"> & {
  creationTimestamp?: string;
  deletionTimestamp?: string;
};

export interface AddressPoolSpec {
  /**
   * How the addresses are announced.
   */
  protocol: "layer2" | "bgp";
  /**
   * Prefixes (192.168.10.0/24) or ranges (192.168.10.5-192.168.10.9) of either family.
   *
   * @minItems 1
   * @maxItems 256
   */
  addresses: string[];
  /**
   * Give addresses to Services that do not ask for this pool.
   */
  autoAssign?: boolean;
  /**
   * Leave out IPv4 addresses that end in 0 or 255.
   */
  avoidBuggyIPs?: boolean;
  /**
   * Which Services may have addresses of this pool. Without it, all.
   */
  serviceAllocation?: {
    /**
     * Lower goes first; 0 or unset goes last.
     */
    priority?: number;
    /**
     * @maxItems 256
     */
    namespaces?: string[];
    /**
     * @maxItems 64
     */
    namespaceSelectors?: {
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * @maxItems 64
       */
      matchExpressions?: {
        key: string;
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
    /**
     * @maxItems 64
     */
    serviceSelectors?: {
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * @maxItems 64
       */
      matchExpressions?: {
        key: string;
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
  };
  /**
   * @maxItems 64
   */
  nodeSelectors?: {
    matchLabels?: {
      [k: string]: string;
    };
    /**
     * @maxItems 64
     */
    matchExpressions?: {
      key: string;
      operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
      /**
       * @maxItems 256
       */
      values?: string[];
    }[];
  }[];
  /**
   * Links to announce on. Without it, those that reach the address.
   *
   * @maxItems 64
   */
  interfaces?: string[];
  /**
   * How a bgp pool is advertised.
   *
   * @maxItems 64
   */
  bgpAdvertisements?: {
    aggregationLength?: number;
    aggregationLengthV6?: number;
    localPref?: number;
    /**
     * @maxItems 64
     */
    communities?: string[];
    /**
     * @maxItems 64
     */
    peers?: string[];
    /**
     * @maxItems 64
     */
    nodeSelectors?: {
      matchLabels?: {
        [k: string]: string;
      };
      /**
       * @maxItems 64
       */
      matchExpressions?: {
        key: string;
        operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
        /**
         * @maxItems 256
         */
        values?: string[];
      }[];
    }[];
  }[];
  /**
   * Services of different namespaces may share an address by one sharing key. Without it, those of one namespace only; what is shared already stays.
   */
  shareAcrossNamespaces?: boolean;
  /**
   * How much a namespace may have of this pool.
   *
   * @maxItems 256
   */
  quotas?: {
    namespace: string;
    /**
     * Without it, as many as there are.
     */
    addresses?: number;
    /**
     * Ports of its Services, each once for every address that it is at. Without it, 16 for each of its addresses, and 1024 at least; each costs every node 74 KB of kernel memory.
     */
    ports?: number;
  }[];
}

export interface AddressPoolStatus {
  assignedIPv4?: number;
  assignedIPv6?: number;
  availableIPv4?: number;
  /**
   * At most 2^53-1, however large the pool.
   */
  availableIPv6?: number;
  /**
   * @maxItems 16
   */
  conditions?: {
    type: string;
    status: "True" | "False" | "Unknown";
    reason: string;
    message: string;
    lastTransitionTime: string;
    observedGeneration?: number;
  }[];
}

/** Addresses to give to Services, and how they are announced. */
export interface AddressPool {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: AddressPoolSpec;
  status?: AddressPoolStatus;
}

export interface BFDProfileSpec {
  /**
   * Milliseconds; 300 where unset.
   */
  receiveInterval?: number;
  /**
   * Milliseconds; 300 where unset.
   */
  transmitInterval?: number;
  /**
   * 3 where unset.
   */
  detectMultiplier?: number;
  /**
   * Milliseconds; 50 where unset.
   */
  echoInterval?: number;
  /**
   * IPv4 single hop only.
   */
  echoMode?: boolean;
  /**
   * Wait for the peer to speak first.
   */
  passiveMode?: boolean;
  /**
   * Multihop only.
   */
  minimumTtl?: number;
}

export interface BFDProfileStatus {
  /**
   * BGPPeers that name this profile.
   */
  peers?: number;
  /**
   * @maxItems 16
   */
  conditions?: {
    type: string;
    status: "True" | "False" | "Unknown";
    reason: string;
    message: string;
    lastTransitionTime: string;
    observedGeneration?: number;
  }[];
}

/** Timers of BFD sessions. */
export interface BFDProfile {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: BFDProfileSpec;
  status?: BFDProfileStatus;
}

export interface BGPPeerSpec {
  /**
   * AS number of the speakers; the same on all BGPPeers.
   */
  myASN: number;
  /**
   * AS number of the router.
   */
  peerASN?: number;
  /**
   * Take the AS number from the router's OPEN.
   */
  dynamicASN?: "internal" | "external";
  /**
   * AS number to show to this peer instead of myASN.
   */
  localASN?: number;
  /**
   * Address of the router.
   */
  peerAddress?: string;
  /**
   * Link of an unnumbered session.
   */
  interface?: string;
  peerPort?: number;
  sourceAddress?: string;
  /**
   * A duration such as 90s; 0 means unset.
   */
  holdTime?: string;
  /**
   * A duration such as 90s; 0 means unset.
   */
  keepaliveTime?: string;
  /**
   * A duration such as 90s; 0 means unset.
   */
  connectTime?: string;
  /**
   * Router ID of the speakers, the same on all BGPPeers that set one.
   */
  routerID?: string;
  /**
   * Nodes that hold the session. Without it, all.
   *
   * @maxItems 64
   */
  nodeSelectors?: {
    matchLabels?: {
      [k: string]: string;
    };
    /**
     * @maxItems 64
     */
    matchExpressions?: {
      key: string;
      operator: "In" | "NotIn" | "Exists" | "DoesNotExist";
      /**
       * @maxItems 256
       */
      values?: string[];
    }[];
  }[];
  /**
   * TCP MD5 password.
   */
  password?: string;
  /**
   * Secret of type kubernetes.io/basic-auth in this namespace; its key `password` is used.
   */
  passwordSecret?: {
    name: string;
    namespace?: string;
  };
  ebgpMultiHop?: boolean;
  /**
   * Refuse packets that come over more hops than that (RFC 5082).
   */
  ttlSecurityHops?: number;
  /**
   * Name of a BFDProfile.
   */
  bfdProfile?: string;
  enableGracefulRestart?: boolean;
  /**
   * Both families over this session.
   */
  dualStackAddressFamily?: boolean;
}

export interface BGPPeerStatus {
  establishedSessions?: number;
  configuredSessions?: number;
  /**
   * Why a session was last lost.
   */
  lastLoss?: string;
  /**
   * @maxItems 16
   */
  conditions?: {
    type: string;
    status: "True" | "False" | "Unknown";
    reason: string;
    message: string;
    lastTransitionTime: string;
    observedGeneration?: number;
  }[];
}

/** A router that speakers hold BGP sessions with. */
export interface BGPPeer {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: BGPPeerSpec;
  status?: BGPPeerStatus;
}

export interface LoadBalancerSpec {
  /**
   * Labels of the nodes that run speakers; all nodes without it.
   */
  nodeSelector?: {
    [k: string]: string;
  };
  /**
   * Tolerations of the pods, as in a pod's spec.
   *
   * @maxItems 64
   */
  speakerTolerations?: {
    key?: string;
    operator?: "Exists" | "Equal";
    value?: string;
    effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
    tolerationSeconds?: number;
  }[];
  /**
   * Labels of the nodes that may run the controller.
   */
  controllerNodeSelector?: {
    [k: string]: string;
  };
  /**
   * Tolerations of the pods, as in a pod's spec.
   *
   * @maxItems 64
   */
  controllerTolerations?: {
    key?: string;
    operator?: "Exists" | "Equal";
    value?: string;
    effect?: "NoSchedule" | "PreferNoSchedule" | "NoExecute";
    tolerationSeconds?: number;
  }[];
  /**
   * How many controllers run; one of them leads, all answer webhooks.
   */
  controllerReplicas?: number;
  /**
   * The least severe records that controller and speakers write.
   */
  logLevel?: "all" | "debug" | "info" | "warn" | "error" | "none";
  /**
   * How metrics of controller and speakers are read. Token: over HTTPS, with a bearer token whose holder may get /metrics (ClusterRole genkan-metrics-reader). Loopback: over HTTP at the port of health, from the same network namespace alone, for an agent on the node.
   */
  metricsAccess?: "Token" | "Loopback";
  /**
   * Serve only Services of this spec.loadBalancerClass; without it, only Services that name none.
   */
  loadBalancerClass?: string;
  /**
   * What else the pods are given.
   */
  controllerConfig?: {
    priorityClassName?: string;
    runtimeClassName?: string;
    /**
     * Affinity as in a pod's spec.
     */
    affinity?: {
      [k: string]: unknown;
    };
    /**
     * Annotations of the pods.
     */
    annotations?: {
      [k: string]: string;
    };
    /**
     * Resources of the container, as in a pod's spec.
     */
    resources?: {
      requests?: {
        [k: string]: number | string;
      };
      limits?: {
        [k: string]: number | string;
      };
    };
  };
  /**
   * What else the pods are given.
   */
  speakerConfig?: {
    priorityClassName?: string;
    runtimeClassName?: string;
    /**
     * Affinity as in a pod's spec.
     */
    affinity?: {
      [k: string]: unknown;
    };
    /**
     * Annotations of the pods.
     */
    annotations?: {
      [k: string]: string;
    };
    /**
     * Resources of the container, as in a pod's spec.
     */
    resources?: {
      requests?: {
        [k: string]: number | string;
      };
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
     * IPVS forwards by ourselves: flows survive a move and pods see the client. KubeProxy leaves forwarding to kube-proxy.
     */
    mode?: "IPVS" | "KubeProxy";
    /**
     * IPVS scheduler. Only mh picks the same pod on every node; with another one flows break when their address moves.
     */
    scheduler?: "mh" | "sh" | "rr" | "wrr" | "lc" | "wlc";
    /**
     * How a node sends to a pod of another node. gre and gue are not supported yet.
     */
    tunnel?: "ipip" | "gre" | "gue";
    /**
     * Share connection entries between nodes, so that a change of endpoints followed by a move keeps flows too. Not supported yet.
     */
    connectionSync?: boolean;
    /**
     * Direct lets the pod's node answer the client. SNAT masquerades everything: for networks that drop foreign source addresses. SNAT is not supported yet.
     */
    returnPath?: "Direct" | "SNAT";
  };
  /**
   * Who owns an address, and when another takes over.
   */
  layer2?: {
    /**
     * What the owner of an address does where a station that is no node of the cluster uses it, too. defend, the default: it tells the neighbours again, every 10 s at most. yield: when the station goes on after that, it stops answering for the address, and takes it back when nobody else answers for it any more, which is asked every minute.
     */
    addressConflict?: "defend" | "yield";
    /**
     * How the death of an owner is noticed. Not supported yet.
     */
    failureDetection?: {
      /**
       * Milliseconds.
       */
      probeInterval?: number;
      multiplier?: number;
    };
    /**
     * Sticky lets an owner keep its address when a node joins or returns. Not supported yet.
     */
    stickiness?: "Sticky" | "Balanced";
  };
  /**
   * The speakers' gossip. Not supported yet.
   */
  membership?: {
    port?: number;
    interface?: string;
  };
}

export interface LoadBalancerStatus {
  observedGeneration?: number;
  /**
   * @maxItems 16
   */
  conditions?: {
    type: string;
    status: "True" | "False" | "Unknown";
    reason: string;
    message: string;
    lastTransitionTime: string;
    observedGeneration?: number;
  }[];
  /**
   * Pods wanted and ready.
   */
  speakers?: {
    desired?: number;
    ready?: number;
  };
  /**
   * Pods wanted and ready.
   */
  controllers?: {
    desired?: number;
    ready?: number;
  };
}

/** The installation: from this one object the operator makes the controller and the speakers. Its name is `loadbalancer`. */
export interface LoadBalancer {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  spec: LoadBalancerSpec;
  status?: LoadBalancerStatus;
}

export interface SpeakerState {
  node?: string;
  /**
   * Which build of the speaker runs.
   */
  build?: string;
  /**
   * Of the LoadBalancer.
   */
  observedGeneration?: number;
  ownedCount?: number;
  /**
   * Addresses that this node answers for, at most 1000 of them.
   *
   * @maxItems 1000
   */
  addresses?: {
    address: string;
    /**
     * One Service that has it, as namespace/name.
     */
    service?: string;
    /**
     * @maxItems 64
     */
    links?: string[];
  }[];
  /**
   * @maxItems 64
   */
  links?: {
    name: string;
    hasCarrier?: boolean;
  }[];
  forwarding?: {
    mode?: string;
    virtualServers?: number;
    realServers?: number;
    /**
     * Kernel writes of the last pass that wrote.
     */
    lastWrites?: number;
  };
  /**
   * Addresses that this node advertises by BGP.
   */
  advertisedCount?: number;
  /**
   * BGP sessions that this node holds or should hold, by peer.
   *
   * @maxItems 128
   */
  bgpSessions?: {
    /**
     * Name of the BGPPeer.
     */
    peer: string;
    address?: string;
    /**
     * State of RFC 4271, or Withheld where the session cannot be tried.
     */
    state: "Idle" | "Connect" | "Active" | "OpenSent" | "OpenConfirm" | "Established" | "Withheld";
    /**
     * When it was established.
     */
    since?: string;
    remoteASN?: number;
    /**
     * Seconds as negotiated.
     */
    holdTime?: number;
    /**
     * Prefixes.
     */
    advertised?: number;
    /**
     * Prefixes, none of them used.
     */
    received?: number;
    /**
     * How often it was lost.
     */
    losses?: number;
    lastError?: string;
    lastErrorTime?: string;
  }[];
  /**
   * @maxItems 128
   */
  bfdSessions?: {
    /**
     * Name of the BGPPeer.
     */
    peer: string;
    address?: string;
    state: "AdminDown" | "Down" | "Init" | "Up";
    /**
     * Of the last change (RFC 5880).
     */
    diagnostic?: string;
    /**
     * Of the state.
     */
    since?: string;
    /**
     * Milliseconds.
     */
    detectionTime?: number;
    /**
     * How often it went down.
     */
    losses?: number;
  }[];
  /**
   * fifo, or normal and why: what the kernel lets the BFD thread have.
   */
  bfdScheduling?: string;
  lastError?: string;
  /**
   * @maxItems 16
   */
  conditions?: {
    type: string;
    status: "True" | "False" | "Unknown";
    reason: string;
    message: string;
    lastTransitionTime: string;
    observedGeneration?: number;
  }[];
}

/** What the speaker of one node does. Written by that speaker alone; its name is the node's. */
export interface SpeakerStatus {
  apiVersion: string;
  kind: string;
  metadata: ObjectMeta;
  status?: SpeakerState;
}
