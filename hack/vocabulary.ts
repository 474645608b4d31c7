/** The tables of metrics, conditions and events -> their pages in docs/reference. Pure. */
import { CONDITIONS } from "#api/v1beta1/condition-meanings.ts";
import { EVENTS, type EventMeaning } from "#api/v1beta1/event-reasons.ts";
import type { Meaning } from "#api/v1beta1/reasons/meaning.ts";
import { REASONS } from "#api/v1beta1/reasons.ts";
import type { MetricDefinition } from "#common/metric-table.ts";

const cell = (text: string): string => text.replaceAll("|", "\\|");

const made = (source: string, title: string, words: string): string =>
  `<!-- Made by hack/generate.ts out of ${source}. -->\n# ${title}\n\n${words}\n`;

function labelsOf({ labels }: MetricDefinition): string {
  const list = Object.entries(labels).map(([label, values]) => `\`${label}\`: ${values}`);
  return list.length === 0 ? "none" : list.join("; ");
}

export function metricsPage(metrics: Readonly<Record<string, MetricDefinition>>): string {
  const rows = Object.entries(metrics).map(([name, metric]) => {
    const { type, unit, shownBy, meaning } = metric;
    return `| \`${name}\` | ${type} | ${unit} | ${shownBy} | ${cell(labelsOf(metric))} | ${cell(meaning)} |`;
  });
  const words =
    "What each process shows at `/metrics`; [metrics](../metrics.md) says how to read it. A counter counts up, and begins anew\nwith the process or with what it counts: ask for its rate. A gauge is what it says at the moment.";
  return `${made("common/metric-table.ts", "Metrics", words)}\n| name | type | unit | shown by | labels | meaning |\n|---|---|---|---|---|---|\n${rows.join("\n")}\n`;
}

export function conditionsPage(): string {
  const reasons = Object.entries<Meaning>(REASONS).sort(([a], [b]) => (a < b ? -1 : 1));
  const sections = Object.entries(CONDITIONS).map(([type, { of, isTrue, otherwise }]) => {
    const rows = reasons
      .filter(([, { under }]) => under.some((one) => one === type))
      .map(([reason, { when, advice }]) => `| \`${reason}\` | ${cell(when)} | ${cell(advice)} |`);
    return `\n## ${type}\n\nOf: ${of}. True: ${isTrue} ${otherwise}\n\n| reason | when | what to do |\n|---|---|---|\n${rows.join("\n")}\n`;
  });
  const words =
    "What the status of each object says: `kubectl describe` shows it. The message of a condition has names and values; this page\nsays when a reason is there, and what to do. [When something does not work](../troubleshooting.md) begins with what a user sees.\n`kubectl get service NAME -o yaml` shows the conditions of a Service, which `kubectl describe service` does not.";
  return `${made("api/v1beta1/condition-meanings.ts and reasons.ts", "Conditions", words)}${sections.join("")}`;
}

/** Of conditions' reasons those that Events have, too: what comes is a warning. */
function eventsOf([reason, { events = [], when, advice }]: [string, Meaning]): [string, EventMeaning][] {
  return events.length === 0 ? [] : [[reason, { at: events.join(", "), type: "Warning", when, advice }]];
}

export function eventsPage(): string {
  const all = [
    ...Object.entries<EventMeaning>(EVENTS),
    ...Object.entries<Meaning>(REASONS).flatMap(eventsOf),
  ].sort(([a], [b]) => (a < b ? -1 : 1));
  const rows = all.map(
    ([reason, { at, type, when, advice }]) =>
      `| \`${reason}\` | ${at} | ${type} | ${cell(when)} | ${cell(advice)} |`,
  );
  const words =
    "What `kubectl describe` and `kubectl get events` show at an object when something changes. An event tells of the change and is\ngone after a while; what holds now is in the [conditions](conditions.md).";
  return `${made("api/v1beta1/event-reasons.ts and reasons.ts", "Events", words)}\n| reason | at | type | when | what to do |\n|---|---|---|---|---|\n${rows.join("\n")}\n`;
}
