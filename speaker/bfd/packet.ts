/**
 * BFD control packets (RFC 5880 section 4.1), authentication none (a packet with the A bit is refused, section 6.8.6).
 * Decoding writes into a packet of the caller and names a fault instead of throwing: this runs for every packet of
 * every session, and for what strangers send, and shall leave no garbage behind.
 *
 *     0                   1                   2                   3
 *     0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1 2 3 4 5 6 7 8 9 0 1
 *    |Vers |  Diag   |Sta|P|F|C|A|D|M|  Detect Mult  |    Length     |
 *    |                       My Discriminator                        |
 *    |                      Your Discriminator                       |
 *    |                    Desired Min TX Interval                    |
 *    |                   Required Min RX Interval                    |
 *    |                 Required Min Echo RX Interval                 |
 */
import type { BfdDiagnostic, BfdState } from "./types.ts";

export const CONTROL_BYTES = 24;
const VERSION = 1;

/** By their number on the wire. */
export const STATES: readonly BfdState[] = ["AdminDown", "Down", "Init", "Up"];
export const DIAGNOSTICS: readonly BfdDiagnostic[] = [
  "None",
  "DetectionTimeExpired",
  "EchoFailed",
  "NeighborSignaledDown",
  "ForwardingPlaneReset",
  "PathDown",
  "ConcatenatedPathDown",
  "AdministrativelyDown",
  "ReverseConcatenatedPathDown",
];

const FLAG = {
  poll: 0x20,
  final: 0x10,
  controlPlane: 0x08,
  authentication: 0x04,
  demand: 0x02,
  multipoint: 0x01,
};

/** Intervals in microseconds, as on the wire. */
export interface ControlPacket {
  diagnostic: BfdDiagnostic;
  state: BfdState;
  poll: boolean;
  final: boolean;
  /** The sender's BFD does not share the fate of its control plane. */
  isIndependent: boolean;
  demand: boolean;
  detectMultiplier: number;
  myDiscriminator: number;
  yourDiscriminator: number;
  desiredMinTxMicros: number;
  requiredMinRxMicros: number;
  requiredMinEchoRxMicros: number;
}

export function emptyPacket(): ControlPacket {
  return {
    diagnostic: "None",
    state: "Down",
    poll: false,
    final: false,
    isIndependent: false,
    demand: false,
    detectMultiplier: 0,
    myDiscriminator: 0,
    yourDiscriminator: 0,
    desiredMinTxMicros: 0,
    requiredMinRxMicros: 0,
    requiredMinEchoRxMicros: 0,
  };
}

/** Why a packet is discarded by section 6.8.6. */
export type PacketFault =
  | "Short"
  | "Version"
  | "Length"
  | "ZeroMultiplier"
  | "Multipoint"
  | "ZeroDiscriminator"
  | "NoYourDiscriminator"
  | "Authentication"
  | "PollAndFinal";

/**
 * The first `length` bytes (a datagram's length, which the buffer may exceed or fall short of) -> `into`, which holds
 * no sense when a fault comes back. Diagnostics of no known meaning read as "None": they are only shown.
 */
export function decodeControl(bytes: Buffer, length: number, into: ControlPacket): PacketFault | undefined {
  if (length < CONTROL_BYTES || bytes.length < CONTROL_BYTES) return "Short";
  const first = bytes[0] ?? 0;
  const second = bytes[1] ?? 0;
  if (first >> 5 !== VERSION) return "Version";
  const claimed = bytes[3] ?? 0;
  // RFC 5880 section 6.8.6: at least 24 (26 with authentication), at most what arrived.
  if (claimed < CONTROL_BYTES || claimed > length) return "Length";
  into.detectMultiplier = bytes[2] ?? 0;
  if (into.detectMultiplier === 0) return "ZeroMultiplier";
  if ((second & FLAG.multipoint) !== 0) return "Multipoint";
  into.myDiscriminator = bytes.readUInt32BE(4);
  if (into.myDiscriminator === 0) return "ZeroDiscriminator";
  into.state = STATES[second >> 6] ?? "Down";
  into.yourDiscriminator = bytes.readUInt32BE(8);
  // Without it only a beginning session can be meant.
  if (into.yourDiscriminator === 0 && second >> 6 > 1) return "NoYourDiscriminator";
  if ((second & FLAG.authentication) !== 0) return "Authentication";
  into.poll = (second & FLAG.poll) !== 0;
  into.final = (second & FLAG.final) !== 0;
  // RFC 5880 section 6.5: never both.
  if (into.poll && into.final) return "PollAndFinal";
  into.isIndependent = (second & FLAG.controlPlane) !== 0;
  into.demand = (second & FLAG.demand) !== 0;
  into.diagnostic = DIAGNOSTICS[first & 0x1f] ?? "None";
  into.desiredMinTxMicros = bytes.readUInt32BE(12);
  into.requiredMinRxMicros = bytes.readUInt32BE(16);
  into.requiredMinEchoRxMicros = bytes.readUInt32BE(20);
  return undefined;
}

/** Writes 24 bytes at the start of `into`. Numbers have to fit: discriminators and intervals 32 bits, multiplier 8. */
export function encodeControl(packet: ControlPacket, into: Buffer): void {
  into[0] = (VERSION << 5) | DIAGNOSTICS.indexOf(packet.diagnostic);
  into[1] =
    (STATES.indexOf(packet.state) << 6) |
    (packet.poll ? FLAG.poll : 0) |
    (packet.final ? FLAG.final : 0) |
    (packet.isIndependent ? FLAG.controlPlane : 0) |
    (packet.demand ? FLAG.demand : 0);
  into[2] = packet.detectMultiplier;
  into[3] = CONTROL_BYTES;
  into.writeUInt32BE(packet.myDiscriminator, 4);
  into.writeUInt32BE(packet.yourDiscriminator, 8);
  into.writeUInt32BE(packet.desiredMinTxMicros, 12);
  into.writeUInt32BE(packet.requiredMinRxMicros, 16);
  into.writeUInt32BE(packet.requiredMinEchoRxMicros, 20);
}
