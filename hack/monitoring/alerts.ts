/** The alerts of config/monitoring, and the page about them. Pure. */

export interface Alert {
  readonly alert: string;
  readonly expr: string;
  readonly for?: string;
  readonly labels: { readonly severity: "critical" | "warning" };
  readonly annotations: {
    readonly summary: string;
    readonly description: string;
    /** `docs/PAGE.md#HEADING`. */
    readonly page: string;
  };
}

/** What Prometheus reads, out of a PrometheusRule. */
export interface RuleFile {
  readonly groups: readonly { readonly name: string; readonly rules: readonly Alert[] }[];
}

export const alertsOf = ({ groups }: RuleFile): readonly Alert[] => groups.flatMap(({ rules }) => rules);

/** `{{ $labels.pool }}` and `{{ $value | humanizeDuration }}`, as a reader without Prometheus says them. */
const forPeople = (text: string): string =>
  text.replaceAll(/\{\{ \$labels\.(\w+) \}\}/g, "*$1*").replaceAll(/\{\{ \$value[^}]*\}\}/g, "*value*");

export function alertsPage(file: RuleFile): string {
  const rows = alertsOf(file).map(({ alert, for: after, labels, annotations }) => {
    const { summary, description, page } = annotations;
    const link = `[more](${page.replace(/^docs\//, "../")})`;
    return `| \`${alert}\` | ${labels.severity} | ${after ?? "at once"} | ${forPeople(summary)}. ${description} | ${link} |`;
  });
  const words =
    "What `kubectl apply -k config/monitoring` has Prometheus watch. A critical one wants somebody now: traffic fails, or nobody\ndecides any more. [Metrics](../metrics.md#alerts-and-a-dashboard) says how to install them.";
  return `<!-- Made by hack/generate.ts out of config/monitoring/alerts.yaml. -->\n# Alerts\n\n${words}\n\n| alert | severity | after | what, and what to do | |\n|---|---|---|---|---|\n${rows.join("\n")}\n`;
}
