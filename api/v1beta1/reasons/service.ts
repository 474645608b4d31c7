/** Reasons of the conditions of Services. */
import { type Meanings, NOTHING_TO_DO } from "#api/v1beta1/reasons/meaning.ts";

export const SERVICE_REASONS = {
  ConflictingRequest: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The Service asks for addresses in two ways at once, or by two spellings of one annotation that differ.",
    advice: "Keep one way of asking and remove the other.",
  },
  InvalidAddress: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The Service asks for something that is no IP address.",
    advice: "Correct the address in the field or annotation that the message names.",
  },
  FamilyMismatch: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The Service asks for an address of a family that it does not have, or for two of one family.",
    advice: "Ask for one address of each family in spec.ipFamilies, or change spec.ipFamilies.",
  },
  TooManyPorts: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The Service has more ports than one Service may have, because each costs kernel memory on every node.",
    advice: "Split it into several Services; they may share one address by a sharing key.",
  },
  UnknownPool: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The AddressPool that the Service asks for does not exist.",
    advice: "Correct the pool's name in the annotation, or create the pool.",
  },
  InvalidPool: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The pool's own configuration is not valid, so it gives no new addresses.",
    advice: "Read the pool's condition Valid and correct its spec.",
  },
  PoolNotAllowed: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The pool's serviceAllocation does not admit this Service.",
    advice: "Ask for another pool, or let the pool's owner admit the namespace or labels of the Service.",
  },
  FamilyNotInPool: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The pool has no range of a family that the Service needs.",
    advice: "Add a range of that family to the pool, ask for another pool, or change spec.ipFamilies.",
  },
  NoMatchingPool: {
    under: ["genkan.dev/AddressAllocated"],
    when: "No pool gives addresses to this Service by itself.",
    advice: "Create a pool with autoAssign that admits the Service, or ask for a pool by annotation.",
  },
  PoolExhausted: {
    under: ["genkan.dev/AddressAllocated"],
    when: "Every pool that may serve the Service is full.",
    advice:
      "Add a range to a pool, or delete Services that are not needed; the Service gets its address by itself then.",
  },
  QuotaExceeded: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The namespace has as many addresses of the pool as it may have.",
    advice: "Delete a Service of the namespace, share an address, or let the pool's owner raise the quota.",
  },
  AddressNotInPool: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The address is in no pool, or not in the pool that was asked for.",
    advice: "Ask for an address of a pool, or add it to a pool's ranges.",
  },
  AddressAvoided: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The address is in a pool's ranges, and the pool's avoidBuggyIPs leaves it out.",
    advice: "Ask for another address, or set avoidBuggyIPs of the pool to false.",
  },
  SubnetRouterAddress: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The address is the first of an IPv6 subnet, which belongs to its routers (RFC 4291 section 2.6.1).",
    advice: "Ask for another address.",
  },
  AddressReserved: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The address is in a pool's ranges, and the cluster itself uses it: for a node, or for Services or Pods.",
    advice: "Ask for another address, and take the cluster's own addresses out of the pool.",
  },
  AddressInUse: {
    under: ["genkan.dev/AddressAllocated"],
    when: "Another Service holds the address, and one of the two shares with nobody.",
    advice: "Ask for another address, or give both Services the same sharing key.",
  },
  SharingConflict: {
    under: ["genkan.dev/AddressAllocated"],
    when: "Another Service holds the address, and the two cannot be together on it: the message says why.",
    advice: "Make key, ports and traffic policy of the two fit, or ask for another address.",
  },
  NotRequested: {
    under: ["genkan.dev/AddressAllocated"],
    when: "The Service asks for another address or pool than the one it had.",
    advice:
      "Nothing is to be done if the change was meant; another reason follows if the new one cannot be given.",
  },
  StatusContested: {
    under: ["genkan.dev/AddressAllocated"],
    events: ["Service"],
    when: "Somebody else keeps overwriting status.loadBalancer of the Service.",
    advice:
      "Stop the other writer, whose field manager the message names, or let spec.loadBalancerClass of the LoadBalancer and of Services say whose they are.",
  },
  Assigned: {
    under: ["genkan.dev/ForwardingIds"],
    when: "The Service has addresses; the message names their pools and the ids that nodes forward by.",
    advice: NOTHING_TO_DO,
  },
  Withdrawn: {
    under: ["genkan.dev/ForwardingIds"],
    when: "The Service is being deleted, and its addresses are taken back. The finalizer service.kubernetes.io/load-balancer-cleanup goes two seconds later.",
    advice: "Nothing is to be done. If the Service stays, see which other finalizers it has.",
  },
} as const satisfies Meanings;
