/** Classic BPF programs for packet sockets. Offsets count from the Ethernet header. */
import { assemble, CODE, type Instruction } from "./filter-program.ts";

const LOAD_WORD = CODE.loadWord;
export const LOAD_HALF = CODE.loadHalf;
export const LOAD_BYTE = CODE.loadByte;

/** Ancillary loads (SKF_AD_OFF): the link that the frame is on after VLAN handling, and whether it still has a tag. */
const ANCILLARY = 0xfffff000;
const LINK_INDEX = ANCILLARY + 8;
const VLAN_TAG_PRESENT = ANCILLARY + 48;

const WHOLE_FRAME = 0x40000;

/** Bytes at an offset must have one of the values; everything else is dropped. */
export interface Match {
  load: number;
  offset: number;
  value: number | readonly number[];
}

/** Takes what matches all, drops the rest. */
export function accept(matches: readonly Match[]): Buffer {
  const instructions: Instruction[] = [];
  // From the last to the first, since a jump says how many instructions follow that are passed over.
  for (const { load, offset, value } of matches.toReversed()) {
    const values = typeof value === "number" ? [value] : value;
    const toDrop = instructions.length + 1;
    const tests = values.map((one, at): Instruction => {
      const after = values.length - 1 - at;
      return [CODE.jumpEqual, after, after === 0 ? toDrop : 0, one];
    });
    instructions.unshift([load, 0, 0, offset], ...tests);
  }
  instructions.push([CODE.return, 0, 0, WHOLE_FRAME], [CODE.return, 0, 0, 0]);
  return assemble(instructions);
}

/** A frame of this very link: one for a VLAN above it reaches its socket too, without its tag. */
const ofLink = (linkIndex: number): Match[] => [
  { load: LOAD_WORD, offset: LINK_INDEX, value: linkIndex },
  { load: LOAD_BYTE, offset: VLAN_TAG_PRESENT, value: 0 },
];

/** ARP requests and replies on Ethernet (RFC 826: ar$op at byte 6 of the packet). */
export function arp(linkIndex: number): Buffer {
  return accept([
    ...ofLink(linkIndex),
    { load: LOAD_HALF, offset: 12, value: 0x0806 },
    { load: LOAD_HALF, offset: 20, value: [1, 2] },
  ]);
}

/** Neighbor solicitations and advertisements that no router forwarded (RFC 4861 section 7.1: hop limit 255). */
export function neighborDiscovery(linkIndex: number): Buffer {
  return accept([
    ...ofLink(linkIndex),
    { load: LOAD_HALF, offset: 12, value: 0x86dd },
    { load: LOAD_BYTE, offset: 20, value: 58 },
    { load: LOAD_BYTE, offset: 21, value: 255 },
    { load: LOAD_BYTE, offset: 54, value: [135, 136] },
  ]);
}
