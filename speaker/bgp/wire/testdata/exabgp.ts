/**
 * Messages that ExaBGP 4.2.21 sent to BIRD 2.0.12, captured with tcpdump: each once, in the order in which they came.
 * Both sides know 4-byte AS numbers. Local AS 6500x, the other side has the same (iBGP) or 4200000100 (eBGP).
 */
export const exabgp: readonly { session: string; type: string; hex: string }[] = [
  {
    session: "iBGP IPv4",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff003b0104fdec00090a0004fa1e0206010400010001020641040000fdec02084006801e0001018002020600",
  },
  {
    session: "iBGP IPv6",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff003b0104fdec00090a0004fa1e0206010400020001020641040000fdec02084006801e0002018002020600",
  },
  { session: "iBGP IPv4", type: "KEEPALIVE", hex: "ffffffffffffffffffffffffffffffff001304" },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00510200000036400101004002004003040a000401800404000000094005040000012cc00808fdec0001ffffff01c0200c0000fdec000000010000000218cb0071",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00300200000015400101004002004003040a0004014005040000006418cb0070",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff005002000000354001010040020602010000fdec4003040a00040780040400000009c00808fdec0001ffffff01c0200c0000fdec000000010000000218cb0071",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff002f02000000144001010040020602010000fdec4003040a00040718cb0070",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff004b02000000344001010040020040050400000064c00804fdec0001800e1c00020110fd00000a000000000000000000040004003020010db8000f",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0044020000002d4001010040020040050400000064800e1c00020110fd00000a000000000000000000040004003020010db8000e",
  },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff004a02000000334001010040020602010000fdecc00804fdec0001800e1c00020110fd00000a000000000000000000040010003020010db8000f",
  },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0043020000002c4001010040020602010000fdec800e1c00020110fd00000a000000000000000000040010003020010db8000e",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff001e0200000007900f0003000201",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003a020000001f4001010040020a02020000fdecfa56ea014003040a0004014005040000006418cb006f",
  },
  { session: "iBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff00170200000000" },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003302000000184001010040020a02020000fdecfa56ea014003040a00040718cb006f",
  },
];
