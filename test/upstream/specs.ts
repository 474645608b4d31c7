/** Which of Kubernetes' own tests are run, and what ginkgo reports of them. */
import { readFile } from "node:fs/promises";

/** As ginkgo's --json-report has them, as far as it concerns us. */
export interface SpecReport {
  readonly ContainerHierarchyTexts: readonly string[] | null;
  readonly LeafNodeText: string;
  readonly LeafNodeType: string;
  readonly State: string;
  /** Nanoseconds. */
  readonly RunTime: number;
  readonly Failure?: { readonly Message?: string };
}

/** What became of one spec; `why` is the test's own words. */
export interface Outcome {
  readonly spec: string;
  readonly state: "passed" | "skipped" | "failed";
  readonly seconds: number;
  readonly why?: string;
}

/** Those of the feature LoadBalancer, and those of Services that make a load balancer. */
const WANTED =
  /LoadBalancers|for internal traffic on Type LoadBalancer|should fail health check node port if there are only terminating/;
/** Of a failure, in a table. */
const LONGEST_WORDS = 600;

export const textOf = ({ ContainerHierarchyTexts, LeafNodeText }: SpecReport): string =>
  [...(ContainerHierarchyTexts ?? []), LeafNodeText].join(" ");

/** Pure. */
export function isWanted(report: SpecReport): boolean {
  return report.LeafNodeType === "It" && WANTED.test(textOf(report));
}

/** A regular expression for ginkgo's focus, which looks at the suite's name, a space, and the text. Pure. */
export const exactly = (text: string): string => ` ${text.replaceAll(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`;

/** Without the framework's markers in brackets: `LoadBalancers should ...`. Pure. */
export const shortName = (text: string): string =>
  text
    .replace(/^\[sig-network\] /, "")
    .replaceAll(/ ?\[[^\]]*\]/g, "")
    .replaceAll(/ {2,}/g, " ")
    .trim();

export async function readReport(path: string): Promise<readonly SpecReport[]> {
  const suites = JSON.parse(await readFile(path, "utf8")) as { SpecReports: SpecReport[] | null }[];
  return suites.flatMap(({ SpecReports }) => SpecReports ?? []);
}

/** The outcome of the one spec that was run; a spec that is missing or was interrupted has failed. Pure. */
export function outcomeOf(spec: string, reports: readonly SpecReport[]): Outcome {
  const report = reports.find((each) => textOf(each) === spec && each.LeafNodeType === "It");
  if (report === undefined) return { spec, state: "failed", seconds: 0, why: "no report: it did not end" };
  const state = report.State === "passed" || report.State === "skipped" ? report.State : "failed";
  const words = report.Failure?.Message?.trim().slice(0, LONGEST_WORDS);
  return {
    spec,
    state,
    seconds: Math.round(report.RunTime / 1e9),
    ...(words === undefined || words === "" ? {} : { why: words }),
  };
}
