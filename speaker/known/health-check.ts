/**
 * How a Service asks for its endpoints to be checked, by annotations. A tenant writes them: all of them are bounded, and
 * one that is wrong leaves out the check of that Service alone. Pure.
 */
import { parseDuration } from "#api/duration.ts";
import { ANNOTATION_HEALTH_CHECK, ANNOTATION_OF_HEALTH_CHECK } from "#api/names.ts";
import { type Annotations, fieldOf, integerText } from "./annotation.ts";
import { type Reader, UnusableError, word } from "./usable.ts";
import type { HealthCheck, ServicePort } from "./view.ts";

const KINDS = ["tcp", "http", "grpc", "udp"] as const;

const INTERVAL_MS = { least: 100, most: 3_600_000, default: 500 } as const;
const TIMEOUT_MS = { least: 10, most: 10_000, default: 300 } as const;
/** Checks in a row. */
const IN_A_ROW = { least: 1, most: 10, default: 2 } as const;
const STATUS = { least: 100, most: 599 } as const;
/** As kubelet's probes. */
const DEFAULT_STATUS = [200, 399] as const;
const MAX_PATH = 1_024;
const MAX_NAME = 253;

/** A request's target: visible ASCII alone, so that nothing can end the line that it stands in. */
const PATH = /^\/[\x21-\x7e]*$/;
const HOST = /^[A-Za-z0-9._[\]:-]+$/;
const GRPC_SERVICE = /^[A-Za-z0-9._-]+$/;

/** undefined: no annotation asks for one. Throws UnusableError. */
export function healthCheckOf(
  annotations: Annotations,
  ports: readonly ServicePort[],
): HealthCheck | undefined {
  const given = Object.keys(annotations).filter((name) => name.startsWith(ANNOTATION_HEALTH_CHECK));
  if (given.length === 0) return undefined;
  const of = ANNOTATION_OF_HEALTH_CHECK;
  const known: readonly string[] = [ANNOTATION_HEALTH_CHECK, ...Object.values(of)];
  const unknown = given.find((name) => !known.includes(name));
  if (unknown !== undefined)
    throw new UnusableError(fieldOf(unknown), annotations[unknown], `one of ${known.join(", ")}`);
  const kind = word(...KINDS)(annotations[ANNOTATION_HEALTH_CHECK], fieldOf(ANNOTATION_HEALTH_CHECK));
  const read = <T>(name: string, reader: Reader<T>): T | undefined =>
    annotations[name] === undefined ? undefined : reader(annotations[name], fieldOf(name));
  const only = (name: string, ...kinds: readonly HealthCheck["kind"][]): void => {
    if (annotations[name] !== undefined && !kinds.includes(kind))
      throw new UnusableError(fieldOf(name), annotations[name], `absent with a check of ${kind}`);
  };
  for (const name of [of.path, of.host, of.status]) only(name, "http");
  only(of.service, "grpc");
  const port = read(of.port, integerText(1, 65_535));
  if (port === undefined && !ports.some(({ protocol }) => protocol === protocolOf(kind)))
    throw new UnusableError(fieldOf(of.port), undefined, `set, since no port is of ${protocolOf(kind)}`);
  const host = read(of.host, textOf(HOST, MAX_NAME, "a host name, or an address, with or without a port"));
  const intervalMs = read(of.interval, durationText(INTERVAL_MS)) ?? INTERVAL_MS.default;
  const most = Math.min(TIMEOUT_MS.most, intervalMs);
  const [least, last] = read(of.status, statusText) ?? DEFAULT_STATUS;
  return {
    kind,
    ...(port !== undefined && { port }),
    path: read(of.path, textOf(PATH, MAX_PATH, `a path of at most ${MAX_PATH} visible characters`)) ?? "/",
    ...(host !== undefined && { host }),
    status: [least, last],
    grpcService: read(of.service, textOf(GRPC_SERVICE, MAX_NAME, "the name of a service of gRPC")) ?? "",
    intervalMs,
    timeoutMs:
      read(of.timeout, durationText({ ...TIMEOUT_MS, most })) ?? Math.min(TIMEOUT_MS.default, intervalMs),
    rise: read(of.rise, integerText(IN_A_ROW.least, IN_A_ROW.most)) ?? IN_A_ROW.default,
    fall: read(of.fall, integerText(IN_A_ROW.least, IN_A_ROW.most)) ?? IN_A_ROW.default,
  };
}

/** Of the ports that a check connects to where it names none. */
export const protocolOf = (kind: HealthCheck["kind"]): "TCP" | "UDP" => (kind === "udp" ? "UDP" : "TCP");

const textOf =
  (pattern: RegExp, most: number, what: string): Reader<string> =>
  (value, field) => {
    if (typeof value !== "string" || value.length > most || !pattern.test(value))
      throw new UnusableError(field, value, what);
    return value;
  };

const durationText =
  ({ least, most }: { readonly least: number; readonly most: number }): Reader<number> =>
  (value, field) => {
    const duration = typeof value === "string" && value.length <= 32 ? parseDuration(value) : undefined;
    if (duration === undefined || duration < least || duration > most)
      throw new UnusableError(field, value, `a duration from ${least}ms to ${most}ms`);
    return duration;
  };

/** `200`, or `200-399`. */
const statusText: Reader<readonly [number, number]> = (value, field) => {
  const [, first, last = first] = (typeof value === "string" && /^(\d{3})(?:-(\d{3}))?$/.exec(value)) || [];
  const [from, to] = [Number(first), Number(last)];
  if (!(from >= STATUS.least && from <= to && to <= STATUS.most))
    throw new UnusableError(field, value, `a status, or a first and a last one, as 200-399`);
  return [from, to];
};
