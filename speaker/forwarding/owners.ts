/**
 * Says which Service a refused request belongs to, and describes the request. It looks things up only after the kernel
 * has refused something. Pure.
 */
import { ownerOf, portKey } from "#speaker/forwarding/elements.ts";
import { idOf } from "#speaker/forwarding/mark.ts";
import type { ForwardedPort, KernelRefusal } from "#speaker/forwarding/types.ts";
import type { Subject } from "#speaker/forwarding/virtual-servers.ts";
import { formatAddress } from "#speaker/netlink/bytes.ts";
import { errnoWords, type NetlinkError } from "#speaker/netlink/error.ts";
import { attemptOf, type Operation } from "#speaker/netlink/ipvs.ts";

const UNVERIFIED = "read back, it was not as written";

/** The ports that marks and elements belong to. */
export interface Owning {
  readonly ports: readonly ForwardedPort[];
}

export class Owners {
  readonly #plan: Owning;
  #byId: Map<number, ForwardedPort> | undefined;
  #byKey: Map<string, ForwardedPort> | undefined;

  constructor(plan: Owning) {
    this.#plan = plan;
  }

  refusal(about: Subject, error: NetlinkError): KernelRefusal {
    return {
      ...this.#about(about, error.attempt),
      code: error.code,
      words: `${errnoWords(error.code)} (${error.code})`,
    };
  }

  /** `operation`: undefined for a route. */
  unverified(about: Subject, operation?: Operation): KernelRefusal {
    const attempt = operation === undefined ? wordsOf(about) : attemptOf(operation);
    return { ...this.#about(about, attempt), code: "NotVerified", words: UNVERIFIED };
  }

  /** `owner`: as `ownerOf` says it. */
  refusedElements(owner: string, error: NetlinkError | undefined): KernelRefusal {
    const port = this.#portOfKey(owner);
    const [kind = "", key = ""] = owner.split(" ");
    const what =
      kind === "address" ? `address ${formatAddress(Buffer.from(key, "hex"))}` : "its nftables elements";
    return {
      kind: "element",
      what,
      attempt: `change elements of ${owner}`,
      ...ofPort(port),
      code: error?.code ?? "NotVerified",
      words: error === undefined ? UNVERIFIED : `${errnoWords(error.code)} (${error.code})`,
    };
  }

  #about(about: Subject, attempt: string): Omit<KernelRefusal, "code" | "words"> {
    const { kind, own, mark } = about;
    const what = wordsOf(about);
    if (kind === "route") return { attempt, kind, what, ...this.#ofAddress(own) };
    return { attempt, kind, what, ...ofPort(mark === undefined ? undefined : this.#portOfMark(mark)) };
  }

  #ofAddress(vip: string): Pick<KernelRefusal, "service" | "place"> {
    const port = this.#plan.ports.find((one) => one.vip === vip);
    return { place: vip, ...(port?.service !== undefined && { service: port.service }) };
  }

  #portOfMark(mark: number): ForwardedPort | undefined {
    this.#byId ??= new Map(this.#plan.ports.map((port) => [port.id, port]));
    return this.#byId.get(idOf(mark));
  }

  #portOfKey(owner: string): ForwardedPort | undefined {
    this.#byKey ??= new Map(
      this.#plan.ports.map((port) => [
        ownerOf(port.family === "IPv4" ? "ports4" : "ports6", portKey(port.vip, port.protocol, port.port)),
        port,
      ]),
    );
    return this.#byKey.get(owner);
  }
}

function wordsOf({ kind, own }: Subject): string {
  if (kind === "route") return `the route of ${own}`;
  return kind === "virtualServer" ? "the virtual server" : `endpoint ${own.replace(" ", " port ")}`;
}

function ofPort(port: ForwardedPort | undefined): Pick<KernelRefusal, "service" | "place"> {
  if (port === undefined) return {};
  const place = `${port.vip} ${port.protocol}/${port.port}`;
  return { place, ...(port.service !== undefined && { service: port.service }) };
}
