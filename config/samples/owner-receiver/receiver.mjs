#!/usr/bin/env node
/**
 * A receiver of Genkan's calls about owners (spec.layer2.ownerChangedURL of the LoadBalancer). It runs a program for each
 * address that has another owner: `PROGRAM ADDRESS NODE NODE_ADDRESS PROVIDER_ID`. What it knows is in a file, so that it
 * may be restarted. Node 20 or later, and nothing else. docs/layer2.md says what is in a call.
 *
 * Settings are environment variables:
 *   MOVE      the program, for example ./move-route.sh
 *   KEY       file with the octets that the Secret has as `key`
 *   TLS_CERT  file with the certificate, PEM
 *   TLS_KEY   file with its private key, PEM
 *   STATE     file in which it keeps what it knows (default owners.json)
 *   PORT      (default 8443)
 */
import { execFile } from "node:child_process";
import { createHmac, timingSafeEqual } from "node:crypto";
import { existsSync, readFileSync, renameSync, writeFileSync } from "node:fs";
import { createServer } from "node:https";
import { isIP } from "node:net";

const { MOVE, KEY, TLS_CERT, TLS_KEY, STATE = "owners.json", PORT = "8443" } = process.env;
if (!MOVE || !KEY || !TLS_CERT || !TLS_KEY) throw new Error("MOVE, KEY, TLS_CERT and TLS_KEY have to be set");

const MOST_OCTETS = 1_000_000;
/** Calls that are older, or newer, are not believed: somebody may have recorded them. */
const MOST_AGE_S = 300;
const MOVE_TIMEOUT_MS = 60_000;

const key = readFileSync(KEY);
/** Address -> { epoch, node }: whom it was last moved to. */
const known = new Map(existsSync(STATE) ? Object.entries(JSON.parse(readFileSync(STATE, "utf8"))) : []);
/** Address -> the last move of it, so that moves of one address come one after the other. */
const moving = new Map();

function isSigned(headers, body) {
  const timestamp = String(headers["genkan-timestamp"] ?? "");
  const given = Buffer.from(String(headers["genkan-signature"] ?? ""));
  const digest = createHmac("sha256", key).update(`${timestamp}.${body}`).digest("hex");
  const right = Buffer.from(`sha256=${digest}`);
  const age = Math.abs(Date.now() / 1_000 - Number(timestamp));
  return given.length === right.length && timingSafeEqual(given, right) && age <= MOST_AGE_S;
}

/** Of two owners the one with the higher epoch counts; of two with the same epoch, the one that was heard last. */
function isNews({ address, epoch }, node) {
  const last = known.get(address);
  return last === undefined || epoch > last.epoch || (epoch === last.epoch && node.name !== last.node);
}

function runMove(address, node) {
  const via = isIP(address) === 6 ? node.addresses.IPv6 : node.addresses.IPv4;
  const words = [address, node.name, via ?? "", node.providerID ?? ""];
  return new Promise((resolve, reject) => {
    execFile(MOVE, words, { timeout: MOVE_TIMEOUT_MS }, (error, _out, errors) =>
      error ? reject(new Error(`${words.join(" ")}: ${errors || error.message}`)) : resolve(),
    );
  });
}

async function take(change, node) {
  const { address, epoch } = change;
  if (!isNews(change, node)) return;
  await runMove(address, node);
  known.set(address, { epoch, node: node.name });
  // Under another name first: a file that is written by half would forget everything.
  writeFileSync(`${STATE}.new`, JSON.stringify(Object.fromEntries(known)));
  renameSync(`${STATE}.new`, STATE);
  console.log(`${address} is at ${node.name}, epoch ${epoch}`);
}

async function takeAll({ node, changes }) {
  const done = changes.map((change) => {
    if (isIP(change.address) === 0 || !Number.isInteger(change.epoch)) throw new TypeError("no change");
    const last = (moving.get(change.address) ?? Promise.resolve()).catch(() => undefined);
    const next = last.then(() => take(change, node));
    moving.set(change.address, next);
    return next;
  });
  const failed = (await Promise.allSettled(done)).filter(({ status }) => status === "rejected");
  for (const { reason } of failed) console.error(`not moved: ${reason.message}`);
  return failed.length === 0;
}

function answer(response, status, text) {
  response.writeHead(status, { "Content-Type": "text/plain" });
  response.end(`${text}\n`);
}

async function serve(request, response) {
  if (request.method !== "POST") return answer(response, 405, "POST only");
  const parts = [];
  let octets = 0;
  for await (const part of request) {
    octets += part.length;
    if (octets > MOST_OCTETS) return answer(response, 413, "too long");
    parts.push(part);
  }
  const body = Buffer.concat(parts).toString();
  if (!isSigned(request.headers, body)) return answer(response, 401, "not signed by the key, or too old");
  const call = JSON.parse(body);
  if (call.version !== 1) return answer(response, 400, "another version");
  return (await takeAll(call)) ? answer(response, 200, "ok") : answer(response, 502, "not all were moved");
}

const files = { cert: readFileSync(TLS_CERT), key: readFileSync(TLS_KEY) };
createServer(files, (request, response) => {
  serve(request, response).catch((error) => {
    console.error(error);
    if (!response.headersSent) answer(response, 400, "cannot be read");
  });
}).listen(Number(PORT), () => console.log(`listening at port ${PORT}`));
