/**
 * Messages that BIRD 2.0.12 sent to BIRD 2.0.12, captured with tcpdump: each once, in the order in which they came.
 * Both sides know 4-byte AS numbers. Local AS 6500x, the other side has the same (iBGP) or 4200000100 (eBGP).
 */
export const bird: readonly { session: string; type: string; hex: string }[] = [
  {
    session: "iBGP IPv6",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff00350104fdea00090a0002fa18021601040002000102004002001e41040000fdea46004700",
  },
  { session: "iBGP IPv6", type: "KEEPALIVE", hex: "ffffffffffffffffffffffffffffffff001304" },
  { session: "iBGP IPv6", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001d0200000006800f03000201" },
  {
    session: "iBGP IPv4",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff00350104fdea00090a0002fa18021601040001000102004002001e41040000fdea46004700",
  },
  { session: "iBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff00170200000000" },
  { session: "iBGP IPv4", type: "ROUTE-REFRESH", hex: "ffffffffffffffffffffffffffffffff00170500010001" },
  {
    session: "iBGP IPv4",
    type: "NOTIFICATION",
    hex: "ffffffffffffffffffffffffffffffff001f030602096e6577206469736b73",
  },
];
