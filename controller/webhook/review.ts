/** AdmissionReview (admission.k8s.io/v1) in, verdict, AdmissionReview out. Pure. */
import { GROUP } from "#api/names.ts";
import { judge } from "#api/v1beta1/admission/judge.ts";
import type { Judged, Question } from "#api/v1beta1/admission/question.ts";
import type { AdmissionView } from "#api/v1beta1/admission/view.ts";
import { type Fault, faultText } from "#api/v1beta1/fault.ts";
import { briefFaults, briefWarnings, shortened } from "#controller/webhook/brief.ts";
import { measure } from "#controller/webhook/measure.ts";

/** The `request` of an AdmissionReview, as far as we read it. */
interface ReviewRequest {
  readonly uid: string;
  readonly operation: string;
  readonly kind: { readonly kind: string };
  readonly object?: JudgedInput | null;
  readonly oldObject?: JudgedInput | null;
  readonly dryRun?: unknown;
}

/** An object as it arrives: it may have no name. */
type JudgedInput = Omit<Judged, "metadata"> & { readonly metadata: Partial<Judged["metadata"]> };

export interface Review {
  /** The answer repeats it, so that the API server knows what it answers. */
  readonly uid: string;
  readonly question: Question;
}

interface ReviewStatus {
  readonly code: number;
  readonly reason: string;
  /** A line for each cause. */
  readonly message: string;
  /** The same for programs; kubectl prints these as it prints the API server's own refusals. */
  readonly details: {
    readonly group: string;
    readonly kind: string;
    readonly name: string;
    readonly causes: readonly { readonly reason: string; readonly field: string; readonly message: string }[];
  };
}

export interface ReviewResponse {
  readonly apiVersion: "admission.k8s.io/v1";
  readonly kind: "AdmissionReview";
  readonly response: {
    readonly uid: string;
    readonly allowed: boolean;
    readonly status?: ReviewStatus;
    readonly warnings?: readonly string[];
  };
}

export class ReviewError extends Error {
  readonly code = "InvalidReview";
}

/**
 * The largest number of values in the old and the new object together. A pool of 256 ranges and 64 advertisements, each
 * with some 150 peers, communities and values of selectors, has 10,000; the most that the schema alone would admit
 * takes seconds to judge.
 */
const MOST_VALUES = 32_768;
/** Our deepest field is 12 levels into a review. A deeper one would use up the stack of the functions that read it. */
const DEEPEST = 64;
/** The longest uid and kind, which come back in the answer. */
const LONGEST_NAME = 253;

/** Throws a ReviewError for what is no AdmissionReview request, or more than one review may hold. */
export function parseReview(body: Buffer): Review {
  const { values, depth } = measure(body);
  if (values > MOST_VALUES) {
    throw new ReviewError(`the review holds ${values} values, ${MOST_VALUES} at most are judged`);
  }
  if (depth > DEEPEST)
    throw new ReviewError(`the review is ${depth} levels deep, ${DEEPEST} at most are judged`);
  let parsed: { kind?: unknown; request?: Partial<ReviewRequest> };
  try {
    parsed = JSON.parse(body.toString("utf8")) as typeof parsed;
  } catch (cause) {
    throw new ReviewError("the body is not JSON", { cause });
  }
  const request = parsed?.request;
  if (
    parsed?.kind !== "AdmissionReview" ||
    typeof request?.uid !== "string" ||
    typeof request.operation !== "string"
  ) {
    throw new ReviewError("the body is not an AdmissionReview with a request");
  }
  if (typeof request.kind?.kind !== "string") throw new ReviewError("request.kind.kind is missing");
  if (request.uid.length > LONGEST_NAME || request.kind.kind.length > LONGEST_NAME) {
    throw new ReviewError(`request.uid or request.kind.kind is longer than ${LONGEST_NAME} characters`);
  }
  for (const name of ["object", "oldObject"] as const) {
    if (!isJudged(request[name] ?? undefined))
      throw new ReviewError(`request.${name} has no kind and metadata`);
  }
  const { uid, operation, kind, object, oldObject, dryRun } = request as ReviewRequest;
  return {
    uid,
    question: {
      ...{ operation, kind: kind.kind, object: named(object), oldObject: named(oldObject) },
      isDryRun: dryRun === true,
    },
  };
}

/** The API server gives every object a name before it asks; who else comes here is not known. */
function named(object: JudgedInput | null | undefined): Judged | undefined {
  if (object === null || object === undefined) return undefined;
  const { metadata } = object;
  return { ...object, metadata: { ...metadata, name: metadata.name ?? "" } };
}

/** Nothing, or what every object of Kubernetes has; the rest is for the schema to say. */
function isJudged(object: unknown): boolean {
  if (object === undefined) return true;
  const { kind, metadata } = object as Partial<Judged>;
  if (typeof kind !== "string" || typeof metadata !== "object" || metadata === null) return false;
  return TEXTS.every((name) => metadata[name] === undefined || typeof metadata[name] === "string");
}

/** Fields of metadata that are compared, and put into messages. */
const TEXTS = ["name", "namespace", "uid", "creationTimestamp"] as const;

export function answer({ uid, question }: Review, view: AdmissionView): ReviewResponse {
  const envelope = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" } as const;
  const { faults, warnings } = judge(question, view);
  const said = warnings.length > 0 ? { warnings: briefWarnings(warnings) } : {};
  if (faults.length === 0) return { ...envelope, response: { uid, allowed: true, ...said } };
  const status = statusOf(question, briefFaults(faults));
  return { ...envelope, response: { uid, allowed: false, status, ...said } };
}

function statusOf({ kind, object, oldObject }: Question, faults: readonly Fault[]): ReviewStatus {
  const { name = "" } = (object ?? oldObject)?.metadata ?? {};
  return {
    code: 422,
    reason: "Invalid",
    message: faults.map(faultText).join("\n"),
    details: {
      group: GROUP,
      kind,
      name: shortened(name, LONGEST_NAME),
      causes: faults.map((each) => ({ reason: "FieldValueInvalid", ...each })),
    },
  };
}
