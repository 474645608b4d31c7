/** Checksums as `sha256sum --check` reads them, and their signature. */
import { createHash, createPrivateKey, sign } from "node:crypto";
import { createReadStream } from "node:fs";
import { readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";

export const SUMS = "SHA256SUMS";

/** Writes the file `SHA256SUMS` of `files` beside them, and returns what is in it. */
export async function writeChecksums(directory: string, files: readonly string[]): Promise<string> {
  let sums = "";
  for (const file of [...files].sort()) {
    const hash = createHash("sha256");
    for await (const chunk of createReadStream(join(directory, file))) hash.update(chunk);
    sums += `${hash.digest("hex")}  ${file}\n`;
  }
  await writeFile(join(directory, SUMS), sums);
  return sums;
}

/** Signs `SHA256SUMS` by an Ed25519 key in PEM (RFC 8410): 64 bytes in `SHA256SUMS.sig`, which openssl verifies. */
export async function signChecksums(directory: string, keyFile: string): Promise<void> {
  const key = createPrivateKey(await readFile(keyFile));
  if (key.asymmetricKeyType !== "ed25519")
    throw new Error(`${keyFile}: a key of type ${key.asymmetricKeyType}; releases are signed by Ed25519`);
  await writeFile(join(directory, `${SUMS}.sig`), sign(null, await readFile(join(directory, SUMS)), key));
}
