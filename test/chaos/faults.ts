/** What is done to a cluster: the table of faults, and what each may cost. Pure; carry-out.ts does them. */

/** What a fault is done to. */
export type Target = "node" | "pair" | "none";

export interface Fault {
  /** A sentence without its end; NODE stands for the node, OTHER for the other one of a pair. */
  readonly what: string;
  readonly target: Target;
  /** Seconds that it lasts, least and most; 0: it is one moment, and the product has to mend it. */
  readonly lasts: readonly [least: number, most: number];
  /** Not even a request may fail: nothing that serves is touched. */
  readonly isLossless?: true;
  /** Pods end or cannot be reached: their connections may be lost. */
  readonly takesPods?: true;
  /** This machine itself would get it, where the nodes have no kernel of their own. */
  readonly needsGuest?: true;
  /** Nothing where kube-proxy forwards. */
  readonly needsIpvs?: true;
  /** Nothing where no router has a session with the nodes. */
  readonly needsBgp?: true;
  /** What it does to the API: it is done through it, or it takes it away. Not both at a time. */
  readonly api?: "used" | "away";
}

const MOMENT = [0, 0] as const;

type More = Omit<Fault, "what" | "target" | "lasts">;

const fault = (what: string, target: Target, lasts: Fault["lasts"], more: More = {}): Fault => ({
  ...{ what, target, lasts },
  ...more,
});

export const FAULTS = {
  "speaker-kill": fault("NODE's speaker is killed", "node", MOMENT),
  "speaker-stop": fault("NODE's speaker is stopped, and goes on later", "node", [2, 8]),
  "controller-kill": fault("all controllers are killed", "none", MOMENT, { isLossless: true }),
  "controller-stop": fault("all controllers are stopped, and go on later", "none", [3, 10], {
    isLossless: true,
  }),
  "operator-kill": fault("the operator is killed", "none", MOMENT, { isLossless: true }),
  "operator-stop": fault("the operator is stopped, and goes on later", "none", [3, 10], { isLossless: true }),
  "api-stop": fault("the API server is stopped, and goes on later", "none", [5, 15], {
    isLossless: true,
    api: "away",
  }),
  "api-kill": fault("the API server is killed, and started again", "none", [1, 5], {
    isLossless: true,
    api: "away",
  }),
  "api-slow": fault("the API server runs a fifth of the time", "none", [8, 15], {
    isLossless: true,
    api: "away",
  }),
  "etcd-stop": fault("etcd is stopped, and goes on later", "none", [3, 10], {
    isLossless: true,
    api: "away",
  }),
  "etcd-kill": fault("etcd is killed, and started again", "none", [1, 3], { isLossless: true, api: "away" }),
  "cable-cut": fault("NODE's cable is pulled", "node", [5, 10], { takesPods: true }),
  "pair-cut": fault("NODE and OTHER hear nothing of each other", "pair", [5, 10], { takesPods: true }),
  "gossip-loss": fault("NODE loses every fifth datagram of gossip", "node", [8, 15], { isLossless: true }),
  "ipvs-clear": fault("IPVS of NODE is emptied", "node", MOMENT, { needsIpvs: true }),
  "table-delete": fault("our nftables table of NODE is deleted", "node", MOMENT),
  "rules-delete": fault("our policy rules and routes of NODE are deleted", "node", MOMENT),
  "node-reboot": fault("NODE loses its power, and starts again", "node", [3, 10], { takesPods: true }),
  "gossip-secret": fault("the Secret with the keys of gossip is deleted", "none", MOMENT, {
    isLossless: true,
    api: "used",
  }),
  "webhook-secret": fault("the Secret with the webhooks' certificate is deleted", "none", MOMENT, {
    isLossless: true,
    api: "used",
  }),
  "certificate-expired": fault("the webhooks' certificate has expired", "none", MOMENT, {
    isLossless: true,
    api: "used",
  }),
  "pool-edit": fault("a pool comes, changes and goes while Services come and go", "none", [5, 10], {
    isLossless: true,
    api: "used",
  }),
  "lease-corrupt": fault("NODE's Lease is garbage", "node", MOMENT, { isLossless: true, api: "used" }),
  "status-corrupt": fault("NODE's SpeakerStatus is garbage", "node", MOMENT, {
    isLossless: true,
    api: "used",
  }),
  "ids-corrupt": fault("the forwarding ids in a Service's status are garbage", "none", MOMENT, {
    api: "used",
  }),
  "disk-full": fault("the disk of all nodes is full", "none", [5, 10], {
    isLossless: true,
    needsGuest: true,
  }),
  "clock-jump": fault("the clock of all nodes is five minutes ahead, then right again", "none", [5, 10], {
    isLossless: true,
    needsGuest: true,
  }),
  "router-restart": fault("the router's bgpd is killed, and started again", "none", [1, 4], {
    needsBgp: true,
  }),
  "session-reset": fault("the router resets its sessions with all nodes", "none", MOMENT, { needsBgp: true }),
  "session-cut": fault("the router hears nothing of NODE's session", "node", [5, 10], { needsBgp: true }),
};

export type FaultKind = keyof typeof FAULTS;
export const FAULT_KINDS = Object.keys(FAULTS) as readonly FaultKind[];

export const faultOf = (kind: FaultKind): Fault => FAULTS[kind];
