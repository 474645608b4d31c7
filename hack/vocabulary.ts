/** The tables of metrics, conditions and events -> their pages in docs/reference. Pure. */
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
