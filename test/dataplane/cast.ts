/** Who is who in tests of what comes to a node from outside. */

/** The same cast in both families. `client(n)`: somebody beyond the router; a network of friends is admitted. */
export const CAST = {
  IPv4: {
    node: "192.168.50.11",
    member: "192.168.50.12",
    stranger: "192.168.50.66",
    tunnelEnd: "169.254.77.77",
    gateway: "10.244.1.1",
    pod: "10.244.1.10",
    vip: "203.0.113.10",
    guarded: "203.0.113.11",
    nobody: "203.0.113.200",
    elsewhere: "198.18.0.1",
    friends: "172.16.1.0/24",
    friend: "172.16.1.7",
    client: (n: number) => `172.16.0.${n}`,
    unreachable: (code: string) => `destination-unreachable ${code}`,
    reply: "echo-reply 0",
  },
  IPv6: {
    node: "fd50::11",
    member: "fd50::12",
    stranger: "fd50::66",
    tunnelEnd: "100::7077",
    gateway: "fd44:1::1",
    pod: "fd44:1::10",
    vip: "2001:db8:51::10",
    guarded: "2001:db8:51::11",
    nobody: "2001:db8:51::200",
    elsewhere: "2001:db8:99::1",
    friends: "fd16:1::/64",
    friend: "fd16:1::7",
    client: (n: number) => `fd16::${n}`,
    unreachable: (code: string) => `destination-unreachable ${code}`,
    reply: "echo-reply 0",
  },
} as const;
