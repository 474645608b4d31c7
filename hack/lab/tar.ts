/** ustar archives, as POSIX.1-1988 has them: the same input gives the same bytes. */
import { createReadStream } from "node:fs";
import { lstat, readdir, readlink } from "node:fs/promises";
import { join } from "node:path";

const BLOCK = 512;

export interface TarEntry {
  /** Relative, without a slash at the end. */
  readonly path: string;
  readonly type: "file" | "directory" | "link";
  /** Permission bits. */
  readonly mode: number;
  /** Bytes; 0 for what is no file. */
  readonly size: number;
  /** Where a symbolic link points. */
  readonly target?: string;
}

/** Does not fit the format. */
export class TarError extends Error {
  readonly code = "LAB_TAR";
}

/** The entry's header block: owner root, time 0. */
export function tarHeader(entry: TarEntry): Buffer {
  const block = Buffer.alloc(BLOCK);
  const path = entry.type === "directory" ? `${entry.path}/` : entry.path;
  const { prefix, name } = split(path);
  block.write(name, 0);
  block.write(octal(entry.mode & 0o7777, 8), 100);
  block.write(octal(0, 8), 108);
  block.write(octal(0, 8), 116);
  block.write(octal(entry.size, 12), 124);
  block.write(octal(0, 12), 136);
  block.write("        ", 148);
  block.write({ file: "0", link: "2", directory: "5" }[entry.type], 156);
  if (Buffer.byteLength(entry.target ?? "") > 100)
    throw new TarError(`link target too long: ${entry.target}`);
  block.write(entry.target ?? "", 157);
  block.write("ustar\u000000", 257);
  block.write(prefix, 345);
  let sum = 0;
  for (const byte of block) sum += byte;
  block.write(`${sum.toString(8).padStart(6, "0")}\0 `, 148);
  return block;
}

/** Zeros that fill `size` bytes up to whole blocks. */
export function tarPadding(size: number): Buffer {
  return Buffer.alloc((BLOCK - (size % BLOCK)) % BLOCK);
}

export function tarEnd(): Buffer {
  return Buffer.alloc(2 * BLOCK);
}

/** The archive of a directory's contents, in the order of their names. */
export async function* tarOf(directory: string): AsyncGenerator<Buffer> {
  // The root itself: without it an unpacked layer's root is open to root alone, and no other user gets in.
  yield tarHeader({ path: ".", type: "directory", mode: 0o755, size: 0 });
  yield* walk(directory, "");
  yield tarEnd();
}

async function* walk(root: string, below: string): AsyncGenerator<Buffer> {
  const names = (await readdir(join(root, below))).sort();
  for (const name of names) {
    const path = below === "" ? name : `${below}/${name}`;
    const stat = await lstat(join(root, path));
    if (stat.isDirectory()) {
      yield tarHeader({ path, type: "directory", mode: stat.mode, size: 0 });
      yield* walk(root, path);
    } else if (stat.isSymbolicLink()) {
      yield tarHeader({ path, type: "link", mode: 0o777, size: 0, target: await readlink(join(root, path)) });
    } else if (stat.isFile()) {
      yield tarHeader({ path, type: "file", mode: stat.mode, size: stat.size });
      for await (const chunk of createReadStream(join(root, path))) yield chunk as Buffer;
      yield tarPadding(stat.size);
    } else throw new TarError(`${join(root, path)}: only files, directories and links go into an image`);
  }
}

function octal(value: number, width: number): string {
  const digits = value.toString(8).padStart(width - 1, "0");
  if (digits.length >= width) throw new TarError(`number too large: ${value}`);
  return `${digits}\0`;
}

/** A name of up to 100 bytes, and what stands before one of its slashes, of up to 155. */
function split(path: string): { prefix: string; name: string } {
  if (Buffer.byteLength(path) <= 100) return { prefix: "", name: path };
  for (let at = path.indexOf("/"); at > 0; at = path.indexOf("/", at + 1)) {
    const [prefix, name] = [path.slice(0, at), path.slice(at + 1)];
    if (Buffer.byteLength(prefix) > 155) break;
    if (name !== "" && Buffer.byteLength(name) <= 100) return { prefix, name };
  }
  throw new TarError(`path too long for an archive: ${path}`);
}
