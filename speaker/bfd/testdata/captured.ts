/**
 * Control packets as they were on the wire between network namespaces, taken with tcpdump from sessions with this
 * speaker: UDP payloads in hex. FRR 8.4.4 with 50 ms both ways; BIRD 2.0.12 with 50 ms, idle 1 s; ours with 100 ms.
 */
export const CAPTURED = {
  frrDown: "2340 0318 ea2d c975 35af 7dd4 000f 4240 000f 4240 0000 c350",
  frrInit: "2380 0318 ea2d c975 0fa5 966b 000f 4240 000f 4240 0000 c350",
  frrPoll: "20e0 0318 ea2d c975 0fa5 966b 0000 c350 0000 c350 0000 c350",
  frrFinal: "20d0 0318 ea2d c975 0fa5 966b 0000 c350 0000 c350 0000 c350",
  frrUp: "20c0 0318 ea2d c975 0fa5 966b 0000 c350 0000 c350 0000 c350",
  birdDown: "2040 0318 2349 d2ac 0000 0000 000f 4240 0000 c350 0000 0000",
  birdInit: "2080 0318 2349 d2ac 1d72 e7e8 000f 4240 0000 c350 0000 0000",
  birdFinal: "20d0 0318 2349 d2ac 1d72 e7e8 0000 c350 0000 c350 0000 0000",
  birdPoll: "20e0 0318 2349 d2ac 1d72 e7e8 0000 c350 0000 c350 0000 0000",
} as const;

export const bytesOf = (hex: string): Buffer => Buffer.from(hex.replaceAll(" ", ""), "hex");
