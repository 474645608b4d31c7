/**
 * Messages that FRR 8.4.4 sent to BIRD 2.0.12, captured with tcpdump: each once, in the order in which they came.
 * Both sides know 4-byte AS numbers. Local AS 6500x, the other side has the same (iBGP) or 4200000100 (eBGP).
 */
export const frr: readonly { session: string; type: string; hex: string }[] = [
  {
    session: "iBGP IPv6",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff005e0104fde900090a0001fa410206010400020001020280000202020002024600020641040000fde90202060002064504000201010206490402766d0002044002c0780209470700020180000000",
  },
  { session: "iBGP IPv6", type: "KEEPALIVE", hex: "ffffffffffffffffffffffffffffffff001304" },
  {
    session: "iBGP IPv4",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff005e0104fde900090a0001fa410206010400010001020280000202020002024600020641040000fde90202060002064504000101010206490402766d0002044002c0780209470700010180000000",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff005d0200000046900e002c00020120fd00000a000000000000000000010004fe80000000000000f4d8effffe26f8b4003020010db8000e40010100500200008004040000000040050400000064",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0083020000006c900e002c00020120fd00000a000000000000000000010004fe80000000000000f4d8effffe26f8b4003020010db8000f400101005002000080040400000007400504000000fac00808fde90001ffffff01c020180000fde900000001000000020000fde90000000300000004",
  },
  { session: "iBGP IPv6", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001d0200000006800f03000201" },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0038020000001d40010100500200004003040a000101800404000000004005040000006418cb0070",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff005f020000004340010100500200004003040a00010180040400000007400504000000fac00808fde90001ffffff01c020180000fde900000001000000020000fde9000000030000000419cb007100",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00430200000027400101005002000a02020000fde90000fde94003040a000101800404000000004005040000006419cb007180",
  },
  { session: "iBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff00170200000000" },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0064020000004d900e002c00020120fd00000a000000000000000000010104fe80000000000000f4d8effffe26f8b4003020010db80002400101005002000602010000fde9c0200cfa56ea640000000100000002",
  },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0055020000003e900e002c00020120fd00000a000000000000000000010104fe80000000000000f4d8effffe26f8b4003020010db80003400101005002000602010000fde9",
  },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff005c0200000045900e002c00020120fd00000a000000000000000000010010fe80000000000000f4d8effffe26f8b4003020010db8000e400101005002000602010000fde980040400000000",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003f0200000024400101005002000602010000fde94003040a000165c0200cfa56ea64000000010000000218c61202",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00300200000015400101005002000602010000fde94003040a00016518c61203",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0037020000001c400101005002000602010000fde94003040a0001078004040000000018cb0070",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00400200000024400101005002000e02030000fde90000fde90000fde94003040a0001078004040000000019cb007180",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0025020000000e900f000a0002013020010db8000e",
  },
  { session: "iBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001b02000418cb00700000" },
  { session: "iBGP IPv4", type: "ROUTE-REFRESH", hex: "ffffffffffffffffffffffffffffffff00170500010001" },
  {
    session: "iBGP IPv4",
    type: "NOTIFICATION",
    hex: "ffffffffffffffffffffffffffffffff0029030602136d61696e74656e616e6365206174206e6f6f6e",
  },
  { session: "eBGP IPv4", type: "NOTIFICATION", hex: "ffffffffffffffffffffffffffffffff0015030604" },
];
