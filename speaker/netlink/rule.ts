/** Policy rules (struct fib_rule_hdr): marked packets look into our table. */
import { attributes } from "./attribute.ts";
import { align, type Codec, DecodeError, u8, u32 } from "./bytes.ts";
import { FLAG } from "./header.ts";
import { ROUTE_PROTOCOL } from "./route.ts";
import type { NetlinkSocket, Request } from "./socket.ts";

const RTM_NEWRULE = 32;
const RTM_DELRULE = 33;
const RTM_GETRULE = 34;
const HEADER = 12;
const ACTION_TO_TABLE = 1;

const fields = attributes({
  preference: [6, u32],
  mark: [10, u32],
  table: [15, u32],
  mask: [16, u32],
  protocol: [21, u8],
});

export interface Rule {
  family: number;
  preference: number;
  mark: number;
  mask: number;
  table: number;
  protocol: number;
}

export const ruleCodec: Codec<Rule> = {
  encode(rule) {
    const header = Buffer.alloc(HEADER);
    header.writeUInt8(rule.family, 0);
    header.writeUInt8(ACTION_TO_TABLE, 7);
    const { preference, mark, mask, table, protocol } = rule;
    return Buffer.concat([header, fields.encode({ preference, mark, mask, table, protocol })]);
  },
  decode(payload) {
    if (payload.length < HEADER) throw new DecodeError(`a rule of ${payload.length} bytes`);
    const decoded = fields.decode(payload.subarray(align(HEADER)));
    return {
      family: payload.readUInt8(0),
      preference: decoded.preference ?? 0,
      mark: decoded.mark ?? 0,
      mask: decoded.mask ?? 0,
      table: decoded.table ?? payload.readUInt8(4),
      protocol: decoded.protocol ?? 0,
    };
  },
};

/** The rule that leads packets with the routing bit to our table. */
export function markRule(
  family: number,
  settings: { routingBit: number; table: number; rulePreference: number },
): Rule {
  const { routingBit, table, rulePreference } = settings;
  return {
    family,
    preference: rulePreference,
    mark: routingBit,
    mask: routingBit,
    table,
    protocol: ROUTE_PROTOCOL,
  };
}

export const addRule = (rule: Rule): Request => ({
  type: RTM_NEWRULE,
  flags: FLAG.create | FLAG.exclusive,
  payload: ruleCodec.encode(rule),
  attempt: `add rule ${rule.preference} for mark ${rule.mark}`,
});

export const removeRule = (rule: Rule): Request => ({
  type: RTM_DELRULE,
  payload: ruleCodec.encode(rule),
  attempt: `remove rule ${rule.preference} for mark ${rule.mark}`,
});

/** The rules of one family with our protocol number. */
export function ownRules(socket: NetlinkSocket, family: number): Rule[] {
  const payload = Buffer.alloc(HEADER);
  payload.writeUInt8(family, 0);
  return socket
    .dump({ type: RTM_GETRULE, payload, attempt: "list rules" })
    .map((message) => ruleCodec.decode(message.payload))
    .filter((rule) => rule.family === family && rule.protocol === ROUTE_PROTOCOL);
}
