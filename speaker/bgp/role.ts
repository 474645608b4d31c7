/** BGP roles (RFC 9234): who is whose customer, agreed on in the OPENs, so that a route cannot go where it must not. Pure. */
import { ROLES, type Role } from "#api/role.ts";
import { BgpError, ErrorCode, OpenError } from "./wire/error.ts";

const OPPOSITE: Readonly<Record<Role, Role>> = {
  Provider: "Customer",
  Customer: "Provider",
  RouteServer: "RouteServerClient",
  RouteServerClient: "RouteServer",
  Peer: "Peer",
};

export const roleNumber = (role: Role): number => ROLES.indexOf(role);

/**
 * Section 4.2: BgpError where both sides say their roles and these do not fit. `theirs`: numbers, of each capability of it
 * that the peer sent. A peer that says none may be one that knows none.
 */
export function checkRoles(own: Role | undefined, theirs: readonly number[]): void {
  if (own === undefined) return;
  const wrong = theirs.find((number) => number !== roleNumber(OPPOSITE[own]));
  if (wrong === undefined) return;
  const name = ROLES[wrong] ?? `role ${wrong}`;
  throw new BgpError(ErrorCode.open, OpenError.roleMismatch, `the peer is ${name}, and we are ${own}`);
}

/** Section 5: what is told downwards or sideways says so by the attribute OTC, so that nobody tells it upwards again. */
export const marksOnlyToCustomer = (own: Role | undefined): boolean =>
  own === "Provider" || own === "Peer" || own === "RouteServer";
