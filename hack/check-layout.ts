/**
 * The one home of the borders: between folders, between the rooms of a folder, no circles, no shell within reach of what
 * decides, no clock, chance or environment in it, names, and sizes. Ends with 1 and one line for each fault.
 */
import { borrowingFaults, CODE, folderFaults, lendingFaults, sharingFaults } from "#hack/borders/folders.ts";
import { ambientFaults, lengthFaults, lengthNotes, nameFaults, verbFaults } from "#hack/borders/names.ts";
import { circleFaults, roomFaults, shellFaults, staleRules } from "#hack/borders/rooms.ts";
import { readSources } from "#hack/borders/source.ts";

const files = await readSources(new URL("../", import.meta.url).pathname, CODE);
const faults = [
  folderFaults,
  borrowingFaults,
  lendingFaults,
  sharingFaults,
  roomFaults,
  circleFaults,
  shellFaults,
  staleRules,
  ambientFaults,
  nameFaults,
  verbFaults,
  lengthFaults,
].flatMap((faultsOf) => faultsOf(files));
for (const note of lengthNotes(files)) process.stdout.write(`note: ${note}\n`);
for (const fault of faults) process.stderr.write(`${fault}\n`);
process.exit(faults.length > 0 ? 1 : 0);
