/** Messages that BIRD 2.0.12 sent as the announcing side to another BIRD, captured with tcpdump: each once, in order. */
export const birdAnnouncing: readonly { session: string; type: string; hex: string }[] = [
  {
    session: "iBGP IPv6",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff00350104fdea00090a0000fa18021601040002000102004002001e41040000fdea46004700",
  },
  { session: "iBGP IPv6", type: "KEEPALIVE", hex: "ffffffffffffffffffffffffffffffff001304" },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00600200000049900e002c00020120fd00000a000000000000000000020104fe800000000000003c1578fffee0857f003020010db800014001010040020040050400000064c00808fde90064ffffff01",
  },
  {
    session: "eBGP IPv6",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff003501045ba000090a0000fa18021601040002000102004002001e4104fa56ea6446004700",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0055020000003e900e002c00020120fd00000a000000000000000000020104fe800000000000003c1578fffee0857f003020010db8000340010100400200400504000000fa",
  },
  {
    session: "iBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0064020000004d900e002c00020120fd00000a000000000000000000020104fe800000000000003c1578fffee0857f003020010db800024001010040020040050400000064c0200cfa56ea640000000100000002",
  },
  { session: "iBGP IPv6", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff001d0200000006800f03000201" },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff005f0200000048900e002c00020120fd00000a000000000000000000020110fe800000000000003c1578fffee0857f003020010db80001400101004002060201fa56ea64c00808fde90064ffffff01",
  },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0054020000003d900e002c00020120fd00000a000000000000000000020110fe800000000000003c1578fffee0857f003020010db80003400101004002060201fa56ea64",
  },
  {
    session: "eBGP IPv6",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff0063020000004c900e002c00020120fd00000a000000000000000000020110fe800000000000003c1578fffee0857f003020010db80002400101004002060201fa56ea64c0200cfa56ea640000000100000002",
  },
  {
    session: "iBGP IPv4",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff00350104fdea00090a0000fa18021601040001000102004002001e41040000fdea46004700",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003b0200000020400101004002004003040a00026540050400000064c00808fde90064ffffff0118c61201",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003f0200000024400101004002004003040a00026540050400000064c0200cfa56ea64000000010000000218c61202",
  },
  {
    session: "iBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff00300200000015400101004002004003040a000265400504000000fa18c61203",
  },
  { session: "iBGP IPv4", type: "UPDATE", hex: "ffffffffffffffffffffffffffffffff00170200000000" },
  {
    session: "eBGP IPv4",
    type: "OPEN",
    hex: "ffffffffffffffffffffffffffffffff003501045ba000090a0000fa18021601040001000102004002001e4104fa56ea6446004700",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003a020000001f400101004002060201fa56ea644003040a00026bc00808fde90064ffffff0118c61201",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff003e0200000023400101004002060201fa56ea644003040a00026bc0200cfa56ea64000000010000000218c61202",
  },
  {
    session: "eBGP IPv4",
    type: "UPDATE",
    hex: "ffffffffffffffffffffffffffffffff002f0200000014400101004002060201fa56ea644003040a00026b18c61203",
  },
  { session: "iBGP IPv4", type: "ROUTE-REFRESH", hex: "ffffffffffffffffffffffffffffffff00170500010101" },
  { session: "iBGP IPv4", type: "ROUTE-REFRESH", hex: "ffffffffffffffffffffffffffffffff00170500010201" },
];
