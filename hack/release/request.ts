/** What `make release` is told, checked: it ends in names of images and files. */
import { parseArgs } from "node:util";
import { ARCHITECTURES, type Architecture } from "#hack/images/platform.ts";

export interface ReleaseRequest {
  /** With its "v". */
  readonly version: string;
  readonly registry: string;
  readonly architectures: readonly Architecture[];
  /** Path of the private key that signs the checksums; undefined: nothing is signed. */
  readonly key: string | undefined;
  readonly output: string;
}

/** Somebody has to say it in another way. */
export class RequestError extends Error {
  readonly code = "RELEASE_REQUEST";
}

const VERSION = /^v(0|[1-9]\d{0,8})(\.(0|[1-9]\d{0,8})){2}(-[0-9A-Za-z-]{1,32}(\.[0-9A-Za-z-]{1,32}){0,8})?$/;
/** Host with a port, and path, as registries take them (OCI distribution specification, "Pulling manifests"). */
const REGISTRY = /^[a-z0-9]+([.-][a-z0-9]+)*(:\d{1,5})?(\/[a-z0-9]+((\.|_|__|-+)[a-z0-9]+)*)*$/;

/** Throws RequestError, which names the option. */
export function readRequest(argv: readonly string[]): ReleaseRequest {
  const { version, registry, architectures, key, output } = parse(argv);
  if (version === undefined || !VERSION.test(version))
    throw new RequestError(`VERSION is "${version ?? ""}"; it has to be one such as v1.2.3`);
  if (registry === undefined || registry.length > 200 || !REGISTRY.test(registry))
    throw new RequestError(
      `REGISTRY is "${registry ?? ""}"; it has to be one such as registry.example.com/genkan`,
    );
  const names = architectures.split(",");
  const chosen = ARCHITECTURES.filter((name) => names.includes(name));
  if (chosen.length === 0 || chosen.length < names.length)
    throw new RequestError(`ARCHITECTURES is "${architectures}"; it may name ${ARCHITECTURES.join(", ")}`);
  return { version, registry, architectures: chosen, key: key === "" ? undefined : key, output };
}

function parse(argv: readonly string[]) {
  const option = { type: "string" } as const;
  try {
    return parseArgs({
      args: [...argv],
      options: {
        version: option,
        registry: option,
        architectures: { ...option, default: ARCHITECTURES.join() },
        key: option,
        output: { ...option, default: "dist" },
      },
    }).values;
  } catch (error) {
    throw new RequestError((error as Error).message, { cause: error });
  }
}
