/** Guests are tested where they are used. */
import { hasIpvs } from "#hack/guest/ipvs.ts";

/** For a test's option `skip`: the reason, or false. */
export const SKIP: string | false = hasIpvs()
  ? "this machine's kernel has ip_vs: no test needs a guest here, and none is built"
  : false;
