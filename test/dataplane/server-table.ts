/** The kernel's virtual servers with another way to write them, for a test. */
import type { ServerTable } from "#speaker/forwarding/kernel.ts";

export const writtenBy = (servers: ServerTable, write: ServerTable["write"]): ServerTable => ({
  load: () => servers.load(),
  walk: () => servers.walk(),
  find: (keys) => servers.find(keys),
  destinations: (key) => servers.destinations(key),
  write,
});
