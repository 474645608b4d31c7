/** Another controller that writes the same Service's status: who that may be, and what to do about it, in words. Pure. */
import { printable } from "#api/printable.ts";

/** The API server's limit for a manager's name. */
const MAX_NAME = 128;

/** Field managers as the API server takes them from a client's name, and what ends the fight. */
const KNOWN: readonly (readonly [RegExp, string])[] = [
  [/^(k3s|k3s-.*|rke2.*|klipper.*)$/, "start k3s with --disable servicelb"],
  [/^(metallb.*|controller)$/, "if that is MetalLB, remove it"],
  [
    /^(kube-vip.*|cilium.*|cloud-controller-manager|purelb.*|allocator)$/,
    "turn its handling of LoadBalancers off",
  ],
];
const OTHERWISE = "stop it";
const CLASS =
  "or let spec.loadBalancerClass of the LoadBalancer and of Services say whose they are. Until then Genkan writes its " +
  "address again after growing pauses, of 5 minutes at most";

/** `manager` undefined: the API server does not say who. */
export function contestedMessage(manager: string | undefined): string {
  if (manager === undefined) {
    return `another controller keeps writing this Service's status.loadBalancer: ${OTHERWISE}, ${CLASS}`;
  }
  const remedy = KNOWN.find(([pattern]) => pattern.test(manager))?.[1] ?? OTHERWISE;
  const name = printable(manager.slice(0, MAX_NAME));
  return `another controller, field manager "${name}", keeps writing this Service's status.loadBalancer: ${remedy}, ${CLASS}`;
}
