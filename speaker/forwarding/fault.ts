/** What the kernel's errors mean for a node. Pure. */
import { ForwardingError } from "#speaker/forwarding/types.ts";
import { NetlinkError, NoFamilyError } from "#speaker/netlink/error.ts";
import type { Operation } from "#speaker/netlink/ipvs.ts";

/** Turns the kernel's refusal into the reason of a condition. */
export function faultOf(error: unknown): ForwardingError {
  if (error instanceof ForwardingError) return error;
  if (!(error instanceof NetlinkError)) throw error;
  if (error instanceof NoFamilyError) {
    return new ForwardingError("NoIpvs", "the kernel has no ip_vs", { cause: error });
  }
  const { code, attempt } = error;
  if (code === "EPERM")
    return new ForwardingError("NoNetAdmin", `${attempt}: the right NET_ADMIN is missing`, { cause: error });
  return new ForwardingError("KernelRefused", error.message, { cause: error });
}

/** But for those that ask for their own, Services have one scheduler: a kernel that lacks it would refuse all of them. */
export function isWithoutScheduler({ kind }: Operation, { code }: NetlinkError): boolean {
  return code === "ENOENT" && (kind === "addService" || kind === "editService");
}

export function noScheduler(error: NetlinkError): ForwardingError {
  const message = `${error.attempt}: the kernel has no such scheduler`;
  return new ForwardingError("NoScheduler", message, { cause: error });
}

/** The fault if our tunnel device is refused, unless this process may do nothing at all. */
export function noTunnel(error: unknown): ForwardingError {
  if (!(error instanceof NetlinkError) || error.code === "EPERM") return faultOf(error);
  return new ForwardingError("NoTunnel", `${error.attempt}: the kernel has no such tunnel`, { cause: error });
}
