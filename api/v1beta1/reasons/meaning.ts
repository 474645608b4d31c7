/** What people are told of a reason. */
import type { AnyConditionType } from "#api/v1beta1/conditions.ts";

export interface Meaning {
  /** Whose reason it is. */
  readonly under: readonly [AnyConditionType, ...AnyConditionType[]];
  /** Kinds at which an Event with this reason tells of it, too, when it comes. */
  readonly events?: readonly ("Service" | "SpeakerStatus" | "LoadBalancer")[];
  /** A whole sentence: when it is there. */
  readonly when: string;
  /** A whole sentence: what to do. */
  readonly advice: string;
}

export type Meanings = Readonly<Record<string, Meaning>>;

/** Where all is as it should be. */
export const NOTHING_TO_DO = "Nothing is to be done.";
