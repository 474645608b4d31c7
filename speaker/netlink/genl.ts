/** Generic netlink: messages of a family that is found by name (linux/genetlink.h). */
import { attributes } from "./attribute.ts";
import { DecodeError, text, u16 } from "./bytes.ts";
import { isErrno, NoFamilyError } from "./error.ts";
import type { Message } from "./header.ts";
import type { NetlinkSocket } from "./socket.ts";

const CONTROLLER = 0x10;
const CTRL_CMD_GETFAMILY = 3;
const HEADER = 4;

const family = attributes({ id: [1, u16], name: [2, text] });

/** struct genlmsghdr (command u8, version u8, reserved u16) and attributes. */
export function encodeGeneric(command: number, version: number, body: Buffer): Buffer {
  return Buffer.concat([Buffer.from([command, version, 0, 0]), body]);
}

export function decodeGeneric(payload: Buffer): { command: number; body: Buffer } {
  if (payload.length < HEADER) throw new DecodeError(`a generic message of ${payload.length} bytes`);
  return { command: payload.readUInt8(0), body: payload.subarray(HEADER) };
}

/**
 * The message type of a family. Asking makes the kernel load the module that has it. Throws NoFamilyError when there is
 * none.
 */
export function resolveFamily(socket: Pick<NetlinkSocket, "get">, name: string): number {
  const attempt = `find generic netlink family ${name}`;
  const payload = encodeGeneric(CTRL_CMD_GETFAMILY, 1, family.encode({ name }));
  let answer: Message;
  try {
    answer = socket.get({ type: CONTROLLER, payload, attempt });
  } catch (error) {
    if (isErrno(error, "ENOENT")) throw new NoFamilyError(attempt, { cause: error });
    throw error;
  }
  const { id } = family.decode(decodeGeneric(answer.payload).body);
  if (id === undefined) throw new DecodeError(`family ${name} without an id`);
  return id;
}

/** The same without a module being loaded for the question; undefined: no such family is there now. */
export function familyIfThere(socket: Pick<NetlinkSocket, "dump">, name: string): number | undefined {
  const payload = encodeGeneric(CTRL_CMD_GETFAMILY, 1, Buffer.alloc(0));
  const attempt = "list generic netlink families";
  const all = socket.dump({ type: CONTROLLER, payload, attempt });
  return all
    .map(({ payload: answer }) => family.decode(decodeGeneric(answer).body))
    .find((one) => one.name === name)?.id;
}
