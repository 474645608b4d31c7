/**
 * Classic BPF programs, as the kernel's struct sock_filter, 8 bytes an instruction: u16 code, u8 jump if true, u8 jump
 * if false, u32 operand, host byte order (linux/filter.h). A conditional jump passes over 255 instructions at most.
 */

export type Instruction = readonly [code: number, jumpTrue: number, jumpFalse: number, operand: number];

/** linux/bpf_common.h. The names say what is done with the accumulator. */
export const CODE = {
  loadWord: 0x20,
  loadHalf: 0x28,
  loadByte: 0x30,
  loadLength: 0x80,
  loadScratch: 0x60,
  storeScratch: 0x02,
  and: 0x54,
  jump: 0x05,
  jumpEqual: 0x15,
  jumpGreater: 0x25,
  jumpAtLeast: 0x35,
  jumpAnyBit: 0x45,
  return: 0x06,
} as const;

/** Bytes of the network layer's header are at these offsets, wherever the socket's own data begin (SKF_NET_OFF). */
export const NETWORK_HEADER = 0xfff0_0000;

const INSTRUCTION_BYTES = 8;

/** The bytes that SO_ATTACH_FILTER takes. */
export function assemble(instructions: readonly Instruction[]): Buffer {
  const program = Buffer.alloc(instructions.length * INSTRUCTION_BYTES);
  const host = new DataView(program.buffer, program.byteOffset, program.length);
  const little = new Uint8Array(Uint16Array.of(1).buffer)[0] === 1;
  instructions.forEach(([code, jumpTrue, jumpFalse, operand], at) => {
    host.setUint16(at * INSTRUCTION_BYTES, code, little);
    host.setUint8(at * INSTRUCTION_BYTES + 2, jumpTrue);
    host.setUint8(at * INSTRUCTION_BYTES + 3, jumpFalse);
    host.setUint32(at * INSTRUCTION_BYTES + 4, operand, little);
  });
  return program;
}
