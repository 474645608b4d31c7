/**
 * node:http without its price. `import "node:http"` in an ES module reads every export once, among them WebSocket,
 * whose getter loads all of undici: 16 MB on every node (measured with node 26.10: 63.4 instead of 47.6 MB resident
 * after the import). This way of asking for the module reads nothing. node:https has no such getters.
 */
export const http: typeof import("node:http") = process.getBuiltinModule("node:http");
