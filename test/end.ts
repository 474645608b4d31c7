/**
 * Preloaded into every test process: ends it for good once it has nothing left to do. Left to itself Node 26.10 now and
 * then spins for ever in its own clean-up there (Environment::CleanupHandles), with all tests of the file passed.
 * What keeps a process from ending, a server left open for example, still does.
 */
process.once("beforeExit", () => process.on("exit", (code) => process.exit(code)));
