/**
 * Messages that GoBGP 3.10.0 sent to BIRD 2.0.12, captured with tcpdump: each once, in the order in which they came.
 * Both sides know 4-byte AS numbers. Local AS 6500x, the other side has the same (iBGP) or 4200000100 (eBGP).
 */
export const gobgp: readonly { session: string; type: string; hex: string }[] = [
  {
    session: "eBGP IPv6",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff003b0104fdeb00090a0003fa1e021c0200490402766d0001040002000141040000fdeb4006001e00020100",
  },
  { session: "eBGP IPv6", type: "KEEPALIVE", hex: "ffffffffffffffffffffffffffffffff001304" },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff004a02000000334001010240020602010000fdebc00804fdeb0001800e1c00020110fd00000a000000000000000000030250003020010db8000f",
  },
  { session: "eBGP IPv6", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001d0200000006800f03000201" },
  {
    session: "eBGP IPv4",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff00430104fdeb00090a0003fa2602240200490402766d0001040001000141040000fdeb4006001e000101000506000100010002",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003302000000144001010240020602010000fdeb4003040a00030718cb007018cb006f",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff005002000000354001010240020602010000fdeb4003040a00030780040400000005c00808fdeb0001ffffff01c0200c0000fdeb000000010000000218cb0071",
  },
  { session: "eBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff00170200000000" },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00510200000036400101024002004003040a00030180040400000005400504000000c8c00808fdeb0001ffffff01c0200c0000fdeb000000010000000218cb0071",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00340200000015400101024002004003040a0003014005040000006418cb007018cb006f",
  },
  { session: "iBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001b02000418c612010000" },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff004b02000000344001010240020040050400000064c00804fdeb0001800e1c00020110fd00000a000000000000000000030250003020010db8000f",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0024020000000d800f0a0002013020010db80001",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0024020000000d800f0a0002013020010db80003",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0024020000000d800f0a0002013020010db80002",
  },
  { session: "eBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001b02000418cb00700000" },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0024020000000d800f0a0002013020010db8000f",
  },
  { session: "iBGP IPv6", type: "NOTIFICATION", hex: "ffffffffffffffffffffffffffffffff0015030604" },
];
