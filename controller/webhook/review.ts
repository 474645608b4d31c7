/** AdmissionReview (admission.k8s.io/v1) in, verdict, AdmissionReview out. Pure. */
import { GROUP } from "#api/names.ts";
import { type Judged, judge } from "#api/v1beta1/admission/judge.ts";
import type { View } from "#api/v1beta1/admission/view.ts";
import type { Refusal } from "#api/v1beta1/refusal.ts";
import { briefRefusals, briefWarnings, shortened } from "#controller/webhook/brief.ts";
import { measure } from "#controller/webhook/measure.ts";

interface ReviewRequest {
  readonly uid: string;
  readonly operation: string;
  readonly kind: { readonly kind: string };
  readonly object?: Judged | null;
  readonly oldObject?: Judged | null;
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
 * Values in the old and the new object together. A pool of 256 ranges and 64 advertisements, each with some 150 peers,
 * communities and values of selectors, has 10,000; what the schema alone would admit takes seconds to judge.
 */
const MOST_VALUES = 32_768;
/** The deepest field of ours is 12 levels into a review, and functions that call themselves read all of it. */
const DEEPEST = 64;
/** What comes back in the answer. */
const LONGEST_NAME = 253;

/** Throws a ReviewError for what is no AdmissionReview request, or more than one review may hold. */
export function parseReview(body: Buffer): ReviewRequest {
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
  return request as ReviewRequest;
}

/** Nothing, or what every object of Kubernetes has; the rest is for the schema to say. */
function isJudged(object: unknown): boolean {
  if (object === undefined) return true;
  const { kind, metadata } = object as Partial<Judged>;
  if (typeof kind !== "string" || typeof metadata !== "object" || metadata === null) return false;
  return TEXTS.every((name) => metadata[name] === undefined || typeof metadata[name] === "string");
}

/** What is put into words, and compared. The API server has checked it; who else comes here is not known. */
const TEXTS = ["name", "namespace", "uid", "creationTimestamp"] as const;

const OPERATIONS = ["CREATE", "UPDATE", "DELETE"] as const;

export function answer(request: ReviewRequest, view: View): ReviewResponse {
  const operation = OPERATIONS.find((name) => name === request.operation);
  const envelope = { apiVersion: "admission.k8s.io/v1", kind: "AdmissionReview" } as const;
  if (operation === undefined) return { ...envelope, response: { uid: request.uid, allowed: true } };
  const verdict = judge(
    {
      operation,
      kind: request.kind.kind,
      object: request.object ?? undefined,
      oldObject: request.oldObject ?? undefined,
    },
    view,
  );
  const warnings = verdict.warnings.length > 0 ? { warnings: briefWarnings(verdict.warnings) } : {};
  if (verdict.refusals.length === 0) {
    return { ...envelope, response: { uid: request.uid, allowed: true, ...warnings } };
  }
  const object = request.object ?? request.oldObject ?? undefined;
  return {
    ...envelope,
    response: {
      uid: request.uid,
      allowed: false,
      status: statusOf(request.kind.kind, nameOf(object), briefRefusals(verdict.refusals)),
      ...warnings,
    },
  };
}

/** As it came in: nothing says yet that it is a text. */
function nameOf(object: Judged | undefined): string {
  const name: unknown = object?.metadata.name;
  return typeof name === "string" ? shortened(name, LONGEST_NAME) : "";
}

function statusOf(kind: string, name: string, refusals: readonly Refusal[]): ReviewStatus {
  return {
    code: 422,
    reason: "Invalid",
    message: refusals.map(({ message }) => message).join("\n"),
    details: {
      group: GROUP,
      kind,
      name,
      causes: refusals.map(({ field, message }) => ({
        reason: "FieldValueInvalid",
        field,
        message: message.slice(`${field}: `.length),
      })),
    },
  };
}
