/** All metrics, in one table. docs/reference/metrics.md is made of it (`make generate`). */

export interface MetricDefinition {
  /** A counter counts up and begins anew with the process or with what it counts; a gauge goes both ways. */
  readonly type: "counter" | "gauge";
  readonly unit: string;
  /** Which processes show it. */
  readonly shownBy: "all" | "controller" | "speaker" | "controller, speaker";
  /** Label -> what its values are, in Markdown. */
  readonly labels: Readonly<Record<string, string>>;
  /** What it says and, where it is a sign of trouble, what to look at. */
  readonly meaning: string;
}

const PEER = { peer: "name of the BGPPeer" } as const;
const FAMILY = "`IPv4` or `IPv6`";
const SERVICE = { service: "`namespace/name` of the Service" } as const;
const MEASURED =
  "With `spec.serviceTraffic: Measured` alone; of the 500 Services of this node with most bytes. Answers of pods go past the node and are in no count.";
const RESOURCE = "plural of what is watched, for example `services`";

export const METRICS = {
  genkan_build_info: {
    type: "gauge",
    unit: "none",
    shownBy: "all",
    labels: { role: "`operator`, `controller` or `speaker`", version: "the build that runs" },
    meaning: "Always 1; the labels say what runs.",
  },
  genkan_process_resident_bytes: {
    type: "gauge",
    unit: "bytes",
    shownBy: "all",
    labels: {},
    meaning: "Resident memory of the process.",
  },
  genkan_process_cpu_seconds_total: {
    type: "counter",
    unit: "seconds",
    shownBy: "all",
    labels: {},
    meaning: "Processor time used since the start.",
  },
  genkan_http_connections_closed_total: {
    type: "counter",
    unit: "connections",
    shownBy: "all",
    labels: {},
    meaning:
      "Connections to health and metrics that were closed so that others could ask. If it grows, somebody crowds a port.",
  },
  genkan_metrics_requests_total: {
    type: "counter",
    unit: "requests",
    shownBy: "all",
    labels: { verdict: "`allowed`, `missing`, `unknown`, `forbidden`, `busy` or `unreachable`" },
    meaning: "Requests for metrics with a token, by what became of them.",
  },
  genkan_console_requests_total: {
    type: "counter",
    unit: "requests",
    shownBy: "controller",
    labels: { verdict: "`allowed`, `missing`, `unknown`, `forbidden`, `busy` or `unreachable`" },
    meaning: "Requests for what the console shows, by what became of them.",
  },
  genkan_loop_passes_total: {
    type: "counter",
    unit: "passes",
    shownBy: "speaker",
    labels: { loop: "`speaker`" },
    meaning: "Passes of a loop since the start.",
  },
  genkan_loop_failures_total: {
    type: "counter",
    unit: "passes",
    shownBy: "speaker",
    labels: { loop: "`speaker`" },
    meaning: "Passes that failed since the start. If it grows, read the process's log.",
  },
  genkan_api_contact_age_seconds: {
    type: "gauge",
    unit: "seconds",
    shownBy: "speaker",
    labels: { resource: RESOURCE },
    meaning: "Since the API server was last heard about a resource: how old what is known is.",
  },
  genkan_api_errors_total: {
    type: "counter",
    unit: "failures",
    shownBy: "speaker",
    labels: { resource: RESOURCE },
    meaning: "Lists and watches that failed since the start.",
  },
  genkan_api_setbacks_total: {
    type: "counter",
    unit: "failures",
    shownBy: "all",
    labels: { resource: RESOURCE, cause: "one of those in [metrics](../metrics.md#what-to-look-at)" },
    meaning: "Failures of lists and watches, and objects that cannot be read, by cause.",
  },
  genkan_leader: {
    type: "gauge",
    unit: "0 or 1",
    shownBy: "controller",
    labels: { lease: "name of the Lease" },
    meaning: "1 while this process leads. If no process has 1 for a minute, nobody gives out addresses.",
  },
  genkan_pool_addresses: {
    type: "gauge",
    unit: "addresses",
    shownBy: "controller",
    labels: { pool: "name of the AddressPool", family: FAMILY },
    meaning: "Addresses that a pool has. Only the leader shows it.",
  },
  genkan_pool_addresses_in_use: {
    type: "gauge",
    unit: "addresses",
    shownBy: "controller",
    labels: { pool: "name of the AddressPool", family: FAMILY },
    meaning: "Addresses given out. Where it comes near genkan_pool_addresses, give the pool another range.",
  },
  genkan_services: {
    type: "gauge",
    unit: "Services",
    shownBy: "controller, speaker",
    labels: { state: "controller: `allocated`, `pending`; speaker: `assigned`" },
    meaning:
      "Services of type LoadBalancer that are ours. A pending one says why in its condition genkan.dev/AddressAllocated.",
  },
  genkan_announced_addresses: {
    type: "gauge",
    unit: "addresses",
    shownBy: "speaker",
    labels: { protocol: "`layer2`", family: FAMILY },
    meaning: "Addresses that this node announces.",
  },
  genkan_ownership_changes_total: {
    type: "counter",
    unit: "addresses",
    shownBy: "speaker",
    labels: { direction: "`taken` or `released`" },
    meaning: "Addresses taken over or given up.",
  },
  genkan_answers_total: {
    type: "counter",
    unit: "answers",
    shownBy: "speaker",
    labels: { protocol: "`arp` or `ndp`" },
    meaning: "ARP and NDP requests answered since the layer 2 worker started.",
  },
  genkan_unasked_announcements_total: {
    type: "counter",
    unit: "frames",
    shownBy: "speaker",
    labels: {},
    meaning: "Gratuitous ARP and unsolicited advertisements sent since the layer 2 worker started.",
  },
  genkan_frames_lost_total: {
    type: "counter",
    unit: "frames",
    shownBy: "speaker",
    labels: {},
    meaning:
      "Answers for which a link had no room, and frames that it refused, since the layer 2 worker started.",
  },
  genkan_frames_retried_total: {
    type: "counter",
    unit: "frames",
    shownBy: "speaker",
    labels: {},
    meaning:
      "Announcements for which a link had no room and that were sent again, since the layer 2 worker started.",
  },
  genkan_address_conflicts_total: {
    type: "counter",
    unit: "frames",
    shownBy: "speaker",
    labels: {},
    meaning:
      "Frames of foreign stations that use an address of this node, since the layer 2 worker started. If it grows, see the condition AllServed of the node's SpeakerStatus.",
  },
  genkan_address_overlaps_total: {
    type: "counter",
    unit: "frames",
    shownBy: "speaker",
    labels: {},
    meaning:
      "Announcements of other nodes of the cluster for an address that this node announces at that moment, since the layer 2 worker started. A few come with a node that was cut off and is back; if it grows on and on, two nodes do not hear each other: see the condition MembersHeard.",
  },
  genkan_multicast_groups: {
    type: "gauge",
    unit: "groups",
    shownBy: "speaker",
    labels: { state: "`joined` or `refused`" },
    meaning:
      "Solicited-node groups that the node's kernel reports by MLD for announced IPv6 addresses, or refuses to.",
  },
  genkan_gossip_members: {
    type: "gauge",
    unit: "members",
    shownBy: "speaker",
    labels: { state: "`alive`, `suspect`, `dead` or `left`" },
    meaning: "Other speakers that gossip has heard, by what it thinks of them.",
  },
  genkan_gossip_deaths_total: {
    type: "counter",
    unit: "members",
    shownBy: "speaker",
    labels: {},
    meaning: "Members that this node itself took for dead.",
  },
  genkan_gossip_suspicions_total: {
    type: "counter",
    unit: "members",
    shownBy: "speaker",
    labels: {},
    meaning:
      "Members that were suspected here. Many of them without a death are packets that are lost, or busy nodes.",
  },
  genkan_gossip_stalls_total: {
    type: "counter",
    unit: "stalls",
    shownBy: "speaker",
    labels: {},
    meaning: "Times that the thread of gossip did not get to run for 100 ms.",
  },
  genkan_gossip_dropped_total: {
    type: "counter",
    unit: "messages",
    shownBy: "speaker",
    labels: { reason: "why, such as `key`, `stranger`, `forged` or `replayed`" },
    meaning: "What came to the port of gossip and was not believed.",
  },
  genkan_claims_dropped_total: {
    type: "counter",
    unit: "claims",
    shownBy: "speaker",
    labels: {
      reason:
        "`malformed`, `node` (no node has the name), `address` (no Service has it), `hearsay` (another node told it than the one that it names, and that one says otherwise)",
    },
    meaning:
      "Claims on addresses that other speakers told and that are not kept. Some of them with `address` are normal while Services come and go; with `node`, somebody invents names; many with `hearsay` are lies.",
  },
  genkan_owner_calls_total: {
    type: "counter",
    unit: "calls",
    shownBy: "speaker",
    labels: { result: "`taken`, `refused` (any other status), `unreached`" },
    meaning:
      "Calls to the receiver of spec.layer2.ownerChangedURL. While the last two grow and the first does not, the receiver is not told.",
  },
  genkan_owner_changes_waiting: {
    type: "gauge",
    unit: "addresses",
    shownBy: "speaker",
    labels: {},
    meaning: "Addresses that this node owns, and that the receiver has not yet taken notice of.",
  },
  genkan_bgp_session_up: {
    type: "gauge",
    unit: "0 or 1",
    shownBy: "speaker",
    labels: PEER,
    meaning:
      "1 while the session is established; of a BGPPeer with listenRange the number of its sessions that are.",
  },
  genkan_bgp_established_timestamp_seconds: {
    type: "gauge",
    unit: "seconds since 1970",
    shownBy: "speaker",
    labels: PEER,
    meaning: "Since when the session is established; 0 while it is not.",
  },
  genkan_bgp_prefixes: {
    type: "gauge",
    unit: "prefixes",
    shownBy: "speaker",
    labels: { ...PEER, direction: "`advertised` or `received`" },
    meaning: "Prefixes of a session.",
  },
  genkan_bgp_messages_total: {
    type: "counter",
    unit: "messages",
    shownBy: "speaker",
    labels: { ...PEER, direction: "`in` or `out`" },
    meaning: "Messages of a session.",
  },
  genkan_bgp_updates_sent_total: {
    type: "counter",
    unit: "messages",
    shownBy: "speaker",
    labels: PEER,
    meaning: "UPDATEs that were sent.",
  },
  genkan_bgp_last_error_timestamp_seconds: {
    type: "gauge",
    unit: "seconds since 1970",
    shownBy: "speaker",
    labels: PEER,
    meaning: "When the session or an attempt at it last failed; 0: never. The words are in SpeakerStatus.",
  },
  genkan_bgp_losses_total: {
    type: "counter",
    unit: "losses",
    shownBy: "speaker",
    labels: PEER,
    meaning: "How often the session was lost.",
  },
  genkan_bfd_session_up: {
    type: "gauge",
    unit: "0 or 1",
    shownBy: "speaker",
    labels: PEER,
    meaning: "1 while BFD says that the path is up.",
  },
  genkan_bfd_losses_total: {
    type: "counter",
    unit: "losses",
    shownBy: "speaker",
    labels: PEER,
    meaning: "How often the path was lost.",
  },
  genkan_forwarding_objects: {
    type: "gauge",
    unit: "objects",
    shownBy: "speaker",
    labels: { kind: "`virtualServers`, `realServers`, `routes` or `elements`" },
    meaning: "What this node programs into the kernel.",
  },
  genkan_checked_endpoints: {
    type: "gauge",
    unit: "endpoints",
    shownBy: "speaker",
    labels: { state: "`passing` or `failing`" },
    meaning:
      "Endpoints of this node that it checks because their Services ask for it. It is missing where it checks none.",
  },
  genkan_forwarding_turned_away_packets_total: {
    type: "counter",
    unit: "packets",
    shownBy: "speaker",
    labels: {
      reason:
        "`tunnel_source`, `tunnel_content`, `no_pod`, `source_ranges`, `no_port`, `no_address` or `sync_source`",
    },
    meaning: "Packets that forwarding let no further, by reason, since the node's table was made.",
  },
  genkan_forwarding_writes_total: {
    type: "counter",
    unit: "writes",
    shownBy: "speaker",
    labels: { kind: "what was written, for example `route`" },
    meaning: "Changes written to the kernel.",
  },
  genkan_forwarding_repairs_total: {
    type: "counter",
    unit: "writes",
    shownBy: "speaker",
    labels: { kind: "what was written, for example `route`" },
    meaning:
      "Entries that were not as this process had left them, and were put back. If it grows, somebody else changes the node's kernel.",
  },
  genkan_service_connections_total: {
    type: "counter",
    unit: "connections",
    shownBy: "speaker",
    labels: SERVICE,
    meaning: `Connections that this node gave to a pod. ${MEASURED}`,
  },
  genkan_service_packets_total: {
    type: "counter",
    unit: "packets",
    shownBy: "speaker",
    labels: SERVICE,
    meaning: `Packets that came in at this node. ${MEASURED}`,
  },
  genkan_service_bytes_total: {
    type: "counter",
    unit: "bytes",
    shownBy: "speaker",
    labels: SERVICE,
    meaning: `Bytes that came in at this node, with their IP headers. ${MEASURED}`,
  },
  genkan_trace_spans_total: {
    type: "counter",
    unit: "spans",
    shownBy: "controller, speaker",
    labels: { result: "`sent` or `dropped`" },
    meaning:
      "Spans of traces, where `spec.tracing` asks for them. Dropped: the collector did not take them, or there were too many.",
  },
  genkan_webhook_reviews_total: {
    type: "counter",
    unit: "reviews",
    shownBy: "controller",
    labels: {
      kind: "kind of the object",
      verdict: "`allowed`, `refused`, or `failed` where nothing was judged",
    },
    meaning: "Admission reviews answered.",
  },
} as const satisfies Readonly<Record<string, MetricDefinition>>;

export type MetricName = keyof typeof METRICS;
