/** What the kernel's errors mean for a node. Pure. */
import { ForwardingError } from "#speaker/forwarding/types.ts";
import { NetlinkError } from "#speaker/netlink/error.ts";

/** The kernel's refusal as the reason of a condition. */
export function faultOf(error: unknown): ForwardingError {
  if (error instanceof ForwardingError) return error;
  if (!(error instanceof NetlinkError)) throw error;
  const { code, attempt } = error;
  if (code === "EPERM")
    return new ForwardingError("NoNetAdmin", `${attempt}: the right NET_ADMIN is missing`, { cause: error });
  if (code === "ENOENT" && attempt.includes("IPVS")) {
    return new ForwardingError("NoIpvs", "the kernel has no ip_vs", { cause: error });
  }
  if (isWithoutScheduler(error)) {
    return new ForwardingError("NoScheduler", `${attempt}: the kernel has no such scheduler`, {
      cause: error,
    });
  }
  if (attempt.includes("link genkan4") || attempt.includes("link genkan6")) {
    return new ForwardingError("NoTunnel", `${attempt}: the kernel has no such tunnel`, { cause: error });
  }
  return new ForwardingError("KernelRefused", error.message, { cause: error });
}

/** The refusal is the machine's: it would refuse the same of every Service. */
export const isOfAll = (error: NetlinkError): boolean => error.code === "EPERM" || isWithoutScheduler(error);

/** All Services have the same one.. */
const isWithoutScheduler = ({ code, attempt }: NetlinkError): boolean =>
  code === "ENOENT" && attempt.includes("scheduler");
