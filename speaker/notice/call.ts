/**
 * One call to the receiver: HTTPS, POST. Of the answer nothing but its status is looked at, and no redirection is followed.
 * Addresses are judged as they are connected to, so that a name cannot lead to one that speakers never call.
 */
import { lookup as lookupHost } from "node:dns";
import { request } from "node:https";
import type { LookupFunction } from "node:net";
import { whyNotCalled } from "#api/receiver.ts";
import type { Clock } from "#common/clock.ts";

export interface Call {
  readonly url: string;
  readonly body: string;
  readonly headers: Readonly<Record<string, string>>;
  /** Certificates of authorities, PEM; undefined: those that everybody trusts. */
  readonly ca: string | undefined;
  /** Ends it. */
  readonly signal: AbortSignal;
}

/** A status, or why there is none. */
export type Answer = { readonly status: number } | { readonly failure: string };

export type Caller = (call: Call) => Promise<Answer>;

/** An API of a cloud takes its time. */
const TIMEOUT_MS = 15_000;

const WORDS: Readonly<Record<string, string>> = {
  ECONNREFUSED: "the connection is refused",
  ECONNRESET: "the connection is reset",
  EHOSTUNREACH: "the host is unreachable",
  ENETUNREACH: "the network is unreachable",
  ENOTFOUND: "its name is not known",
  EAI_AGAIN: "its name cannot be looked up",
  SELF_SIGNED_CERT_IN_CHAIN: "its certificate is of an authority that is not trusted",
  DEPTH_ZERO_SELF_SIGNED_CERT: "its certificate is of an authority that is not trusted",
  UNABLE_TO_VERIFY_LEAF_SIGNATURE: "its certificate is of an authority that is not trusted",
  UNABLE_TO_GET_ISSUER_CERT_LOCALLY: "its certificate is of an authority that is not trusted",
  ERR_TLS_CERT_ALTNAME_INVALID: "its certificate is for another name",
  CERT_HAS_EXPIRED: "its certificate has expired",
};

/** How names are looked up, as by dns.lookup, and which addresses are never called. */
interface Ways {
  readonly lookup?: typeof lookupHost;
  readonly whyNot?: (address: string) => string | undefined;
}

export function createCaller(
  clock: Pick<Clock, "after">,
  { lookup = lookupHost, whyNot = whyNotCalled }: Ways = {},
): Caller {
  return ({ url, body, headers, ca, signal }) =>
    new Promise((resolve) => {
      const octets = Buffer.from(body);
      const finish = (answer: Answer): void => {
        cancel();
        resolve(answer);
        // Whatever else it says is not waited for.
        sent?.destroy();
      };
      const cancel = clock.after(TIMEOUT_MS, () => finish({ failure: `no answer within ${TIMEOUT_MS} ms` }));
      let sent: ReturnType<typeof request> | undefined;
      try {
        sent = request(url, {
          method: "POST",
          agent: false,
          signal,
          minVersion: "TLSv1.2",
          lookup: judged(lookup, whyNot),
          headers: { ...headers, "Content-Type": "application/json", "Content-Length": octets.length },
          ...(ca !== undefined && { ca }),
        });
      } catch (error) {
        finish({ failure: failureOf(error) });
        return;
      }
      sent.on("response", ({ statusCode = 0 }) => finish({ status: statusCode }));
      sent.on("error", (error) => finish({ failure: failureOf(error) }));
      sent.end(octets);
    });
}

/** Addresses that speakers never call are left out; where no other is left, that is an error. */
function judged(lookup: typeof lookupHost, whyNot: typeof whyNotCalled): LookupFunction {
  return (host, options, done) => {
    lookup(host, { ...options, all: true }, (error, found) => {
      if (error !== null) {
        done(error, []);
        return;
      }
      const allowed = found.filter(({ address }) => whyNot(address) === undefined);
      const [first] = allowed;
      if (first === undefined) {
        const [{ address } = { address: "" }] = found;
        const text = found.length === 0 ? "it has no address" : `its address ${address} ${whyNot(address)}`;
        done(Object.assign(new Error(text), { code: NOT_CALLED }), []);
      } else if (options.all === true) done(null, allowed);
      else done(null, first.address, first.family);
    });
  };
}

const NOT_CALLED = "NOT_CALLED";

function failureOf(error: unknown): string {
  const { code = "unknown", message } = error as NodeJS.ErrnoException;
  return code === NOT_CALLED ? message : (WORDS[code] ?? `the call failed: ${code}`);
}
