/** Writes that an API server has taken, out of its metrics. Pure. */

/** `PATCH services/status` -> how many. */
export type Writes = Readonly<Record<string, number>>;

const LINE = /^apiserver_request_total\{([^}]*)\} (\S+)$/;
const WRITING = new Set(["POST", "PUT", "PATCH", "APPLY", "DELETE"]);

export function writesIn(metrics: string): Writes {
  const writes: Record<string, number> = {};
  for (const line of metrics.split("\n")) {
    const [, text = "", count = ""] = LINE.exec(line) ?? [];
    const labels = new Map(
      [...text.matchAll(/(\w+)="([^"]*)"/g)].map(([, name = "", value = ""]) => [name, value]),
    );
    const verb = labels.get("verb") ?? "";
    if (!WRITING.has(verb) || labels.get("dry_run") !== "") continue;
    const subresource = labels.get("subresource") ?? "";
    const what = `${verb} ${labels.get("resource")}${subresource === "" ? "" : `/${subresource}`}`;
    writes[what] = (writes[what] ?? 0) + Number(count);
  }
  return writes;
}

/** Those of `after` that `before` does not have. */
export function writesSince(before: Writes, after: Writes): Writes {
  const more = Object.entries(after).map(([what, count]) => [what, count - (before[what] ?? 0)] as const);
  return Object.fromEntries(more.filter(([, count]) => count > 0).sort(([, a], [, b]) => b - a));
}
