/** How a Service asks to be forwarded otherwise than the LoadBalancer says, by annotations of a tenant. Pure. */
import { formatAddress, parseAddress } from "#api/address.ts";
import {
  ANNOTATION_DRAIN_TIMEOUT,
  ANNOTATION_LOWER_THRESHOLD,
  ANNOTATION_SCHEDULER,
  ANNOTATION_UPPER_THRESHOLD,
  ANNOTATION_WEIGHTS,
} from "#api/names.ts";
import { SCHEDULERS } from "#api/scheduler.ts";
import { type Annotations, fieldOf, integerText } from "./annotation.ts";
import { UnusableError, word } from "./usable.ts";
import type { Thresholds, Weights } from "./view.ts";

/** Connections of one pod. */
const MOST = 1_000_000;
/** As the kernel has it for ipvsadm and keepalived. */
const MOST_WEIGHT = 65_535;
const MOST_WEIGHTS = 100;
/** A day. */
const MOST_SECONDS = 86_400;

/** undefined: that of the LoadBalancer. Throws UnusableError. */
export function schedulerOf(annotations: Annotations): string | undefined {
  const given = annotations[ANNOTATION_SCHEDULER];
  return given === undefined ? undefined : word(...SCHEDULERS)(given, fieldOf(ANNOTATION_SCHEDULER));
}

/** undefined: as many as come. Throws UnusableError. */
export function thresholdsOf(annotations: Annotations): Thresholds | undefined {
  const [high, low] = [annotations[ANNOTATION_UPPER_THRESHOLD], annotations[ANNOTATION_LOWER_THRESHOLD]];
  if (high === undefined && low === undefined) return undefined;
  const upper = integerText(1, MOST)(high, fieldOf(ANNOTATION_UPPER_THRESHOLD));
  const lower = low === undefined ? 0 : integerText(1, MOST)(low, fieldOf(ANNOTATION_LOWER_THRESHOLD));
  if (lower > upper)
    throw new UnusableError(fieldOf(ANNOTATION_LOWER_THRESHOLD), low, `at most the upper one, ${upper}`);
  return { upper, lower };
}

/** undefined: all endpoints are alike. Throws UnusableError. */
export function weightsOf(annotations: Annotations): Weights | undefined {
  const given = annotations[ANNOTATION_WEIGHTS];
  if (given === undefined) return undefined;
  const field = fieldOf(ANNOTATION_WEIGHTS);
  const parts = typeof given === "string" ? given.split(",", MOST_WEIGHTS + 1) : [];
  if (parts.length === 0 || parts.length > MOST_WEIGHTS)
    throw new UnusableError(field, given, `1 to ${MOST_WEIGHTS} weights`);
  const weights = new Map<string, number>();
  for (const part of parts) {
    const [, name, text] = /^([A-Za-z0-9.:-]{1,253})=(\d+)$/.exec(part.trim()) ?? [];
    if (name === undefined)
      throw new UnusableError(field, given, "NODE=WEIGHT or ADDRESS=WEIGHT, and commas between them");
    const address = parseAddress(name);
    const key = address === undefined ? name : formatAddress(address);
    if (weights.has(key)) throw new UnusableError(field, given, `one weight of ${key}`);
    weights.set(key, integerText(1, MOST_WEIGHT)(text, field));
  }
  return weights;
}

/** Milliseconds; undefined: as long as the endpoint is there. Throws UnusableError. */
export function drainTimeoutOf(annotations: Annotations): number | undefined {
  const given = annotations[ANNOTATION_DRAIN_TIMEOUT];
  if (given === undefined) return undefined;
  return integerText(0, MOST_SECONDS)(given, fieldOf(ANNOTATION_DRAIN_TIMEOUT)) * 1_000;
}
