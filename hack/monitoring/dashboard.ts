/** What the Grafana dashboard shows, as a table, and the dashboard made of it. Pure. */

export interface Panel {
  readonly title: string;
  /** Of Grafana: `short`, `s`, `bytes`, `percentunit`, `pps`, `ops`, `Bps`. */
  readonly unit: string;
  /** Legend -> PromQL. */
  readonly series: Readonly<Record<string, string>>;
  readonly description: string;
}

export interface Row {
  readonly title: string;
  readonly panels: readonly Panel[];
}

export const ROWS: readonly Row[] = [
  {
    title: "Addresses",
    panels: [
      {
        title: "Services",
        unit: "short",
        description: "A pending one says why in its condition genkan.dev/AddressAllocated.",
        series: {
          "{{state}}": 'max by (state) (genkan_services{state!="assigned"})',
        },
      },
      {
        title: "Pools: share given out",
        unit: "percentunit",
        description: "At 1 the next Service has to wait.",
        series: {
          "{{pool}} {{family}}":
            "max by (pool, family) (genkan_pool_addresses_in_use) / max by (pool, family) (genkan_pool_addresses)",
        },
      },
      {
        title: "Controllers that lead",
        unit: "short",
        description: "One, but for the moments of an election. At 0 no Service gets an address.",
        series: { leaders: "sum(genkan_leader)" },
      },
      {
        title: "Admission reviews",
        unit: "ops",
        description: "`failed` means that nothing was judged.",
        series: { "{{kind}} {{verdict}}": "sum by (kind, verdict) (rate(genkan_webhook_reviews_total[5m]))" },
      },
    ],
  },
  {
    title: "Layer 2",
    panels: [
      {
        title: "Addresses announced, by node",
        unit: "short",
        description: "Each address has one owner.",
        series: { "{{instance}}": "sum by (instance) (genkan_announced_addresses)" },
      },
      {
        title: "Addresses taken over",
        unit: "short",
        description: "In five minutes. Nothing moves on a quiet day.",
        series: {
          "{{instance}}":
            'sum by (instance) (increase(genkan_ownership_changes_total{direction="taken"}[5m]))',
        },
      },
      {
        title: "Members that gossip suspects or has lost",
        unit: "short",
        description: "As each node sees it. Suspicions without a death are lost packets, or busy nodes.",
        series: {
          "{{state}} at {{instance}}": 'genkan_gossip_members{state=~"suspect|dead"}',
        },
      },
      {
        title: "Answers",
        unit: "ops",
        description: "ARP and NDP requests answered.",
        series: { "{{protocol}}": "sum by (protocol) (rate(genkan_answers_total[5m]))" },
      },
    ],
  },
  {
    title: "BGP and BFD",
    panels: [
      {
        title: "Sessions that are down",
        unit: "short",
        description: "genkan bgp has the last error of each.",
        series: { "{{peer}} at {{instance}}": "1 - genkan_bgp_session_up > 0" },
      },
      {
        title: "Prefixes advertised",
        unit: "short",
        description: "By session.",
        series: { "{{peer}} at {{instance}}": 'genkan_bgp_prefixes{direction="advertised"}' },
      },
      {
        title: "Sessions lost",
        unit: "short",
        description: "In an hour.",
        series: { "{{peer}} at {{instance}}": "increase(genkan_bgp_losses_total[1h])" },
      },
      {
        title: "Paths lost, by BFD",
        unit: "short",
        description: "In an hour.",
        series: { "{{peer}} at {{instance}}": "increase(genkan_bfd_losses_total[1h])" },
      },
    ],
  },
  {
    title: "Traffic, with spec.serviceTraffic: Measured",
    panels: [
      {
        title: "The busiest Services",
        unit: "Bps",
        description: "What comes in. Answers of pods go past the node.",
        series: {
          "{{service}}": "topk(10, sum by (service) (rate(genkan_service_bytes_total[1m])))",
        },
      },
      {
        title: "New connections",
        unit: "ops",
        description: "Of the Services with most of them.",
        series: {
          "{{service}}": "topk(10, sum by (service) (rate(genkan_service_connections_total[1m])))",
        },
      },
      {
        title: "What comes in, by node",
        unit: "Bps",
        description: "Of an address of layer 2 all comes in at its owner.",
        series: { "{{instance}}": "sum by (instance) (rate(genkan_service_bytes_total[1m]))" },
      },
    ],
  },
  {
    title: "Forwarding and speakers",
    panels: [
      {
        title: "In the kernel",
        unit: "short",
        description: "What is programmed, of the node that has most.",
        series: { "{{kind}}": "max by (kind) (genkan_forwarding_objects)" },
      },
      {
        title: "Packets turned away",
        unit: "pps",
        description: "By reason; docs/dataplane.md says what each one is.",
        series: { "{{reason}}": "sum by (reason) (rate(genkan_forwarding_turned_away_packets_total[5m]))" },
      },
      {
        title: "Put back in the kernel",
        unit: "short",
        description: "In five minutes. If it grows, somebody else changes the node's kernel.",
        series: {
          "{{kind}} at {{instance}}": "increase(genkan_forwarding_repairs_total[5m]) > 0",
        },
      },
      {
        title: "Age of what is known",
        unit: "s",
        description: "Since the API server was last heard, of the resource that is worst.",
        series: { "{{instance}}": "max by (instance) (genkan_api_contact_age_seconds)" },
      },
      {
        title: "Memory",
        unit: "bytes",
        description: "Resident.",
        series: { "{{instance}}": "genkan_process_resident_bytes" },
      },
      {
        title: "Processor time",
        unit: "percentunit",
        description: "Of one processor.",
        series: { "{{instance}}": "rate(genkan_process_cpu_seconds_total[5m])" },
      },
    ],
  },
];

const WIDTH = 24;
const ACROSS = 4;
const HEIGHT = 8;

/** The dashboard as Grafana imports it; it asks for its source of data. */
export function dashboard(rows: readonly Row[]): string {
  const panels: object[] = [];
  let y = 0;
  const place = (panel: object, w: number, x: number, h: number): void =>
    void panels.push({ id: panels.length + 1, gridPos: { x, y, w, h }, ...panel });
  for (const row of rows) {
    place({ type: "row", title: row.title, collapsed: false, panels: [] }, WIDTH, 0, 1);
    y += 1;
    for (const [at, panel] of row.panels.entries()) {
      const column = at % ACROSS;
      if (at > 0 && column === 0) y += HEIGHT;
      place(chart(panel), WIDTH / ACROSS, (column * WIDTH) / ACROSS, HEIGHT);
    }
    y += HEIGHT;
  }
  const made = {
    uid: "genkan",
    title: "Genkan",
    tags: ["genkan"],
    schemaVersion: 39,
    refresh: "30s",
    time: { from: "now-6h", to: "now" },
    templating: {
      list: [{ name: "source", label: "Source", type: "datasource", query: "prometheus", current: {} }],
    },
    panels,
  };
  return `${JSON.stringify(made, null, 2)}\n`;
}

function chart({ title, unit, series, description }: Panel): object {
  const datasource = { type: "prometheus", uid: "$" + "{source}" };
  return {
    type: "timeseries",
    title,
    description,
    datasource,
    fieldConfig: { defaults: { unit, min: 0 }, overrides: [] },
    options: { legend: { displayMode: "list", placement: "bottom" }, tooltip: { mode: "multi" } },
    targets: Object.entries(series).map(([legendFormat, expr], at) => ({
      refId: String.fromCharCode(65 + at),
      datasource,
      expr,
      legendFormat,
    })),
  };
}
