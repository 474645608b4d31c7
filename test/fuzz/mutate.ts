/** Small changes of JSON values that keep most of their structure: what a careless or hostile writer's objects look like. */
export type Json = null | boolean | number | string | Json[] | { [key: string]: Json };
type Random = () => number;

/** Values of every type and of every kind of oddness that fields of ours and of Kubernetes meet. */
const ODD: readonly Json[] = [
  ...[null, true, false, 0, -1, 1, 65_535, 65_536, 2 ** 31, 2 ** 53, 1e308, -1e308, 0.5],
  ...["", " ", "x", "0", "-1", "80", "true", "null", "__proto__", "constructor", "toString", "a/b", "a/b/c"],
  ...[
    "10.9.0.1/x",
    "10.9.0.1/33",
    "10.9.0.1/-1",
    "10.9.0.1/1e999",
    "10.9.0.0/8",
    "/",
    "10.9.0.1",
    "300.1.1.1",
    "fd09::1",
  ],
  ...[
    "fd09::/129",
    "::",
    "0.0.0.0",
    "0.0.0.0/0",
    "::/0",
    "255.255.255.255",
    "10.9.0.9-10.9.0.1",
    "fe80::1%eth0",
  ],
  ...[
    "\u0000",
    "\u202e",
    "\ud800",
    "9999-12-31T23:59:59Z",
    "0000-00-00T00:00:00Z",
    "90s",
    "1e9h",
    "999999999999h",
  ],
  ...[
    "large:1:2:3",
    "65536:1",
    "TCP",
    "tcp",
    "SCTP",
    "IPv4",
    "IPv6",
    "FQDN",
    "InternalIP",
    "layer2",
    "bgp",
    "In",
  ],
  ...["IPv4/TCP/80=134217728", '{"isReady":true,"links":[{"name":"x","prefixes":["1/2/3"]}]}', "{", "[]"],
  ...[[], [null], [[]], {}, { a: 1 }, { length: 3 }, { toString: 1 }, { name: null }],
  "x".repeat(70_000),
  Array.from({ length: 300 }, (_, at) => `10.9.${at % 256}.1/24`),
];

/** Every place in `value`: its holder and its key. */
function placesIn(value: Json, places: [Json[] | Record<string, Json>, string][] = []): typeof places {
  if (typeof value !== "object" || value === null) return places;
  for (const [key, inner] of Object.entries(value)) {
    places.push([value as Record<string, Json>, key]);
    placesIn(inner, places);
  }
  return places;
}

/** A changed copy; one to four places are replaced, taken out, doubled, renamed, or exchanged with another. */
export function mutatedJson(value: Json, random: Random): Json {
  const copy = structuredClone(value);
  for (let left = 1 + (random() % 4); left > 0; left -= 1) {
    const places = placesIn(copy);
    const [holder, key] = places[random() % Math.max(places.length, 1)] ?? [];
    if (holder === undefined || key === undefined) return copy;
    change(holder as Record<string, Json>, key, places as [Record<string, Json>, string][], random);
  }
  return copy;
}

function change(
  holder: Record<string, Json>,
  key: string,
  places: readonly (readonly [Record<string, Json>, string])[],
  random: Random,
): void {
  const present = holder[key] ?? null;
  switch (random() % 8) {
    case 0:
      if (Array.isArray(holder)) holder.splice(Number(key), 1);
      else delete holder[key];
      break;
    case 1: {
      const other = places[random() % places.length];
      if (other !== undefined) holder[key] = structuredClone(other[0][other[1]] ?? null);
      break;
    }
    case 2:
      holder[key] = Array.from({ length: 1 + (random() % 40) }, () => structuredClone(present));
      break;
    case 3:
      if (!Array.isArray(holder)) define(holder, String(ODD[13 + (random() % 8)]), present);
      break;
    case 4:
      holder[key] = typeof present === "string" ? spoiled(present, random) : [present];
      break;
    default:
      holder[key] = structuredClone(ODD[random() % ODD.length] ?? null);
  }
}

/** As JSON.parse does it: `__proto__` becomes a field like any other. */
function define(holder: object, key: string, value: Json): void {
  Object.defineProperty(holder, key, { value, enumerable: true, configurable: true, writable: true });
}

function spoiled(text: string, random: Random): string {
  const at = random() % (text.length + 1);
  const odd = ODD[random() % ODD.length];
  const piece = typeof odd === "string" ? odd.slice(0, 40) : "";
  return text.slice(0, at) + piece + text.slice(at + (random() % 3));
}
