/**
 * The shared libraries that a program links, found by reading it. `ldd` would start its loader, which only a machine of
 * the same architecture can.
 */
import { existsSync } from "node:fs";
import { join } from "node:path";
import { run } from "#hack/common/command.ts";
import { type Platform, TRIPLETS } from "#hack/images/platform.ts";

/** What `readelf -dlW` says of a program or a library. Pure. */
export function parseElf(output: string): { needed: string[]; loader: string | undefined } {
  return {
    needed: [...output.matchAll(/\(NEEDED\)\s+Shared library: \[([^\]]+)\]/g)].map(([, name = ""]) => name),
    loader: /Requesting program interpreter: ([^\]]+)\]/.exec(output)?.[1],
  };
}

/** Place in an image -> file on this machine, of all that `programs` link, and of what that links. */
export async function librariesOf(
  programs: readonly string[],
  { root, architecture }: Pick<Platform, "root" | "architecture">,
): Promise<Map<string, string>> {
  const triplet = TRIPLETS[architecture];
  const found = new Map<string, string>();
  const waiting = [...programs];
  for (let file = waiting.shift(); file !== undefined; file = waiting.shift()) {
    const { needed, loader } = parseElf(await run(["readelf", "-dlW", file]));
    // Every program names its loader by this very path.
    if (loader !== undefined) found.set(`/usr${loader.replace(/^\/usr/, "")}`, join(root, loader));
    for (const name of needed) {
      const place = `/usr/lib/${triplet}/${name}`;
      if (name.startsWith("ld-linux") || found.has(place)) continue;
      const source = [`usr/lib/${triplet}`, `lib/${triplet}`]
        .map((folder) => join(root, folder, name))
        .find(existsSync);
      if (source === undefined) throw new Error(`shared library ${name} of ${file} is not below ${root}`);
      found.set(place, source);
      waiting.push(source);
    }
  }
  return found;
}
