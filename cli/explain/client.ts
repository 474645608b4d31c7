/** From where a connection comes. Pure. */
import { formatAddress, parseAddress } from "#api/address.ts";

export interface Client {
  readonly address: string;
  readonly port: number;
}

/** `203.0.113.7:4242` or `[2001:db8::7]:4242`; undefined for what is neither. */
export function parseClient(text: string): Client | undefined {
  const found = /^(?:\[([^\]]+)\]|([^:]+)):(\d{1,5})$/.exec(text);
  const address = parseAddress(found?.[1] ?? found?.[2] ?? "");
  const port = Number(found?.[3]);
  if (address === undefined || !(port >= 1 && port <= 65_535)) return undefined;
  if ((address.family === "IPv6") !== (found?.[1] !== undefined)) return undefined;
  return { address: formatAddress(address), port };
}
