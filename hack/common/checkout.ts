/** Where this checkout is, and where it keeps what is built once and used by every run. */
import { dirname, join } from "node:path";

export const CHECKOUT = dirname(dirname(import.meta.dirname));
export const LAB_DIRECTORY = join(CHECKOUT, ".lab");
