import assert from "node:assert/strict";
import { test } from "node:test";
import fc from "fast-check";
import { emptyView } from "#api/v1beta1/admission/view.ts";
import { SCHEMAS } from "#api/v1beta1/generated/schemas.ts";
import { answer, parseReview, ReviewError } from "#controller/webhook/review.ts";

const VIEW = {
  ...emptyView("genkan-system"),
  services: [{ key: "a/b", addresses: ["10.0.0.1", "?"] }],
};

const kind = fc.constantFrom(...Object.keys(SCHEMAS), "Gateway");
const spec = fc.oneof(
  fc.jsonValue(),
  fc.record(
    {
      protocol: fc.constantFrom("layer2", "bgp"),
      addresses: fc.array(fc.constantFrom("10.0.0.0/24", "10.0.0.9-10.0.0.1", "fd00::/64", "x"), {
        minLength: 1,
      }),
      bgpAdvertisements: fc.array(fc.record({ aggregationLength: fc.integer({ min: 1, max: 40 }) })),
    },
    { requiredKeys: ["addresses"] },
  ),
);
const object = fc.oneof(
  fc.jsonValue(),
  fc.record({ kind, metadata: fc.constant({ name: "x", namespace: "genkan-system" }), spec }),
);

test("whatever arrives is answered or is a ReviewError", () => {
  fc.assert(
    fc.property(
      fc.record({
        uid: fc.string(),
        operation: fc.constantFrom("CREATE", "UPDATE", "DELETE", "CONNECT"),
        kind: fc.record({ kind }),
        object,
        oldObject: object,
      }),
      (request) => {
        try {
          const { response } = answer(
            parseReview(Buffer.from(JSON.stringify({ kind: "AdmissionReview", request }))),
            VIEW,
          );
          assert.equal(response.uid, request.uid);
          assert.equal(response.allowed, response.status === undefined);
        } catch (error) {
          assert.ok(error instanceof ReviewError, String((error as Error).stack));
        }
      },
    ),
    { numRuns: 500 },
  );
});

test("kubectl reads each cause once: its field is no part of its message", () => {
  const { response } = answer(
    parseReview(
      Buffer.from(
        JSON.stringify({
          kind: "AdmissionReview",
          request: {
            uid: "u",
            operation: "CREATE",
            kind: { kind: "AddressPool" },
            object: {
              apiVersion: "genkan.dev/v1beta1",
              kind: "AddressPool",
              metadata: { name: "web", namespace: "genkan-system" },
              spec: { protocol: "layer2", addresses: ["127.0.0.1"] },
            },
          },
        }),
      ),
    ),
    VIEW,
  );
  const [cause] = response.status?.details.causes ?? [];
  assert.equal(cause?.field, "spec.addresses[0]");
  assert.match(cause?.message ?? "", /^127\.0\.0\.1/);
  assert.equal(response.status?.message, `${cause?.field}: ${cause?.message}`);
});
