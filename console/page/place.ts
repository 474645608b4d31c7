/** Where in the console somebody is: kept in the address behind `#`, so that it can be gone back to. Pure. */

export const VIEWS = ["overview", "services", "pools", "nodes", "sessions", "moves"] as const;
export type View = (typeof VIEWS)[number] | "service" | "node";

export interface Place {
  readonly view: View;
  /** Of the view `service`: namespace/name; of the view `node`: its name. */
  readonly name?: string;
  readonly query: Readonly<Record<string, string>>;
}

/** What is not understood is the overview. */
export function placeOf(hash: string): Place {
  const [path = "", search = ""] = hash.replace(/^#\/?/, "").split("?", 2);
  const query = Object.fromEntries(new URLSearchParams(search));
  const [view = "", ...rest] = path.split("/");
  if ((view === "service" && rest.length === 2) || (view === "node" && rest.length === 1))
    return { view, name: rest.map(decoded).join("/"), query };
  const known = VIEWS.find((one) => one === view);
  return { view: known ?? "overview", query };
}

export function hashOf({ view, name, query }: Place): string {
  const path = name === undefined ? view : `${view}/${name.split("/").map(encodeURIComponent).join("/")}`;
  const search = new URLSearchParams(Object.entries(query).filter(([, value]) => value !== "")).toString();
  return search === "" ? `#/${path}` : `#/${path}?${search}`;
}

/** Somebody may have typed it. */
function decoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    return text;
  }
}
