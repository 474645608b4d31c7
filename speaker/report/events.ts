/** Emits Events when something changed, each at the object that it concerns, and logs a line. */
import { API_VERSION } from "#api/names.ts";
import type { EventRecorder, EventTarget } from "#common/kube/events.ts";
import type { Logger } from "#common/log.ts";
import type { Trouble } from "../apply.ts";
import type { SessionReport } from "../bgp/types.ts";
import type { Conflict } from "../layer2/messages.ts";
import type { Tenure } from "../ownership/ownership.ts";
import type { AddressPlan } from "../plan/addresses.ts";
import type { LeftOut } from "../plan/claims.ts";
import { conflictText, hardwareText } from "./conflict.ts";
import { tenureText } from "./tenure.ts";

export interface SpeakerEventsOptions {
  readonly node: string;
  readonly namespace: string;
  readonly events: Pick<EventRecorder, "emit">;
  readonly log: Logger;
  /** How many addresses were taken over or given up, for metrics. */
  readonly onOwnership: (direction: "taken" | "released", count: number) => void;
  /** The Service `namespace/name`. Undefined if it is gone. */
  readonly uidOf: (service: string) => string | undefined;
  /** How this node came to own the address. */
  readonly tenureOf: (vip: string) => Tenure | undefined;
}

const LEFT_OUT_A_PASS = 10;

export class SpeakerEvents {
  readonly #options: SpeakerEventsOptions;
  /** Addresses that an earlier process of this node announced. To go on with them is no change of owner. */
  #inherited: Set<string>;
  #saidTrouble = "";
  #saidLeftOut: ReadonlySet<string> = new Set();

  constructor(options: SpeakerEventsOptions, inherited: readonly string[] = []) {
    this.#options = options;
    this.#inherited = new Set(inherited);
  }

  /** Addresses that an earlier process of this node announced. */
  inherit(addresses: readonly string[]): void {
    this.#inherited = new Set(addresses);
  }

  /** A session came up or was lost. One event is emitted, at the BGPPeer. */
  session({ peer, address, state, lastError }: SessionReport): void {
    const { events, node } = this.#options;
    const isUp = state === "Established";
    events.emit(this.#own("BGPPeer", peer), {
      type: isUp ? "Normal" : "Warning",
      reason: isUp ? "SessionEstablished" : "SessionLost",
      message: `node ${node}: session with ${address} ${isUp ? "established" : `lost: ${lastError ?? "stopped"}`}`,
    });
  }

  announced(addresses: readonly AddressPlan[]): void {
    const { node, events, log, onOwnership, tenureOf } = this.#options;
    for (const { vip, services, links } of addresses) {
      const isInherited = this.#inherited.delete(vip);
      const why = tenureText(tenureOf(vip));
      log.info("address announced", { event: "ownerChanged", ip: vip, services, links, isInherited, why });
      if (isInherited) continue;
      onOwnership("taken", 1);
      for (const key of services) {
        const message = `node ${node} announces ${vip} by layer 2 on link ${links.join(", ")}: ${why}`;
        events.emit(this.#service(key), { type: "Normal", reason: "OwnerChanged", message });
      }
    }
    if (addresses.length > 0) this.#inherited = new Set();
  }

  withdrawn(vips: readonly string[]): void {
    const { log, onOwnership } = this.#options;
    const gone = [...new Set(vips)];
    if (gone.length === 0) return;
    onOwnership("released", gone.length);
    log.info("addresses withdrawn", { count: gone.length, ips: gone.slice(0, 20) });
  }

  /**
   * A foreign station uses an address of this node. That is somebody's mistake, and clients may reach that station
   * instead.
   */
  contested(conflict: Conflict, services: readonly string[]): void {
    const { events, log, node } = this.#options;
    const { link, vip, station, state } = conflict;
    const about = { link, ip: vip, station: hardwareText(station), state, services };
    if (state === "over") {
      log.info("no foreign station uses an address of this node any more", about);
      return;
    }
    log.warn("a foreign station uses an address of this node", about);
    const message = `node ${node}: ${conflictText(conflict)}. Take the address from it or from the pool`;
    for (const key of services) {
      events.emit(this.#service(key), { type: "Warning", reason: "AddressConflict", message });
    }
  }

  /** Emits one event and logs one line when a trouble comes. The conditions show when it is over. */
  troubled(troubles: readonly Trouble[]): void {
    const { events, log, node } = this.#options;
    const text = JSON.stringify(troubles);
    if (text === this.#saidTrouble) return;
    this.#saidTrouble = text;
    for (const { reason, message } of troubles) {
      log.warn("this node cannot do all of its work", { reason, why: message });
      events.emit(this.#own("SpeakerStatus", node), { type: "Warning", reason, message });
    }
  }

  /**
   * Emits one event at a Service when a part of it is newly left out. A pass emits some of them and later passes the
   * rest, so that one user's objects do not fill the queue that all events share.
   */
  leftOut(list: readonly LeftOut[]): void {
    const { events, log, node } = this.#options;
    const said = new Set<string>();
    let left = LEFT_OUT_A_PASS;
    for (const { reason, message, services } of list) {
      const text = `${reason} ${message}`;
      if (this.#saidLeftOut.has(text)) {
        said.add(text);
        continue;
      }
      if (left === 0) continue;
      left -= 1;
      said.add(text);
      log.warn("something of a Service is left out", { reason, services, why: message });
      for (const key of services.slice(0, LEFT_OUT_A_PASS)) {
        const content = { type: "Warning", reason, message: `node ${node}: ${message}` } as const;
        events.emit(this.#service(key), content);
      }
    }
    this.#saidLeftOut = said;
  }

  #own(kind: string, name: string): EventTarget {
    return { apiVersion: API_VERSION, kind, metadata: { name, namespace: this.#options.namespace } };
  }

  #service(key: string): EventTarget {
    const [namespace = "", name = ""] = key.split("/");
    const uid = this.#options.uidOf(key);
    const metadata = { namespace, name, ...(uid === undefined ? {} : { uid }) };
    return { apiVersion: "v1", kind: "Service", metadata };
  }
}
