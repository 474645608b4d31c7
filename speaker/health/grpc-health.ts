/**
 * The two messages of gRPC's health service (grpc.health.v1), each behind the five octets that gRPC puts before a
 * message: whether it is compressed, and its length. Pure.
 *
 * HealthCheckRequest has one field, 1: the name of a service. HealthCheckResponse has one field, 1: 1 means serving.
 */

const SERVING = 1;
/** Octets before a message. */
const PREFIX = 5;

export function encodeCheckRequest(service: string): Buffer {
  const name = Buffer.from(service);
  // A name has at most 253 characters, so its length takes two octets at most.
  const length = name.length < 128 ? [name.length] : [(name.length & 127) | 128, name.length >> 7];
  const message = name.length === 0 ? Buffer.alloc(0) : Buffer.concat([Buffer.of(0x0a, ...length), name]);
  const prefix = Buffer.alloc(PREFIX);
  prefix.writeUInt32BE(message.length, 1);
  return Buffer.concat([prefix, message]);
}

/** False too for what is no such message. */
export function decodeServing(bytes: Uint8Array): boolean {
  const answer = Buffer.from(bytes);
  if (answer.length < PREFIX || answer[0] !== 0) return false;
  const message = answer.subarray(PREFIX);
  if (answer.readUInt32BE(1) !== message.length) return false;
  // An answer with no field says "unknown". A field that is not known makes it something else than we know.
  return message.length === 2 && message[0] === 0x08 && message[1] === SERVING;
}
