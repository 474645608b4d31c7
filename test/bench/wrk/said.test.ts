import assert from "node:assert/strict";
import { test } from "node:test";
import { parseWrk } from "./said.ts";

const TEXT = `Running 1s test @ http://10.84.2.1:80/
  2 threads and 64 connections
  Thread Stats   Avg      Stdev     Max   +/- Stdev
    Latency     5.01ms    1.20ms  21.20ms   90.12%
    Req/Sec     6.31k   512.11     7.02k    70.00%
  Latency Distribution
     50%    4.90ms
     75%    5.30ms
     90%    5.90ms
     99%    1.02s
  12600 requests in 1.00s, 3.10MB read
Requests/sec:  12581.55
Transfer/sec:      3.09MB
`;

test("requests and latencies, whatever their units", () => {
  assert.deepEqual(parseWrk(TEXT), { requests: 12_600, p50Ms: 4.9, p99Ms: 1_020, failed: 0 });
  assert.equal(parseWrk(TEXT.replace("4.90ms", "123.00us")).p50Ms, 0.123);
});

test("requests that failed are counted, also those with an answer of another kind", () => {
  const errors = "  Socket errors: connect 1, read 2, write 3, timeout 4\n  Non-2xx or 3xx responses: 5\n";
  assert.equal(parseWrk(`${TEXT}${errors}`).failed, 15);
});

test("a text without figures is none", () => {
  assert.throws(
    () => parseWrk("unable to connect to 10.84.2.1:80 Connection refused"),
    /no figures: unable to/,
  );
});
