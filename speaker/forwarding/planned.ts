/** What becomes of a port that is asked for: it is planned, or left out alone. Pure. */
import { errorText } from "#common/error.ts";
import { unplanned, withoutVips } from "#speaker/forwarding/left-out.ts";
import { planElements } from "#speaker/forwarding/plan-port.ts";
import type { ForwardedPort, ForwardingSettings, KernelRefusal } from "#speaker/forwarding/types.ts";

/** What an input port came to. */
export interface Planned {
  /** `192.0.2.1 TCP/80`. */
  readonly place: string;
  /** Without endpoints that nobody may forward to. */
  readonly port: ForwardedPort;
  readonly leftOut: readonly KernelRefusal[];
  /** No kernel could be given it. */
  readonly isFailed: boolean;
}

export interface Surroundings {
  readonly settings: ForwardingSettings;
  /** Addresses of Services. */
  readonly vips: ReadonlySet<string>;
}

/** `place`: as `placeOf` says it. */
export function plannedOf(port: ForwardedPort, place: string, { settings, vips }: Surroundings): Planned {
  const leftOut: KernelRefusal[] = [];
  const sound = withoutVips(port, vips, leftOut);
  let isFailed = false;
  try {
    // Whether it can be planned. What comes of it is made once more when it is put: to keep it for each of very many ports
    // costs more.
    planElements(sound, settings);
  } catch (error) {
    leftOut.push(unplanned(port, "the port", errorText(error)));
    isFailed = true;
  }
  return { place, port: sound, leftOut: leftOut.length === 0 ? NONE : leftOut, isFailed };
}

const NONE: readonly KernelRefusal[] = [];
