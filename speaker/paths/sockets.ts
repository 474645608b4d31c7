/** The raw sockets that send questions and receive answers, one for each family. */
import type { Family } from "#api/address.ts";
import { accept, LOAD_BYTE, LOAD_HALF } from "#speaker/native/filter.ts";
import { int, sockaddr } from "#speaker/native/sockaddr.ts";
import { SOCK, Socket } from "#speaker/native/socket.ts";
import { formatAddress, parseAddress } from "#speaker/netlink/bytes.ts";
import { domainOf } from "#speaker/netlink/domain.ts";
import { IP_HEADER_BYTES } from "../ip-header.ts";
import { solicitedNode } from "../layer2/ndp.ts";
import {
  ADVERTISEMENT,
  decodeAdvertised,
  decodeEchoReply,
  ECHO_REPLY,
  encodeEcho,
  encodeSolicitation,
} from "./packet.ts";

const PROTOCOL = { IPv4: 1, IPv6: 58 } as const;
/** IP_MTU_DISCOVER and IPV6_MTU_DISCOVER with PMTUDISC_DO: never in pieces, and never larger than the known path MTU. */
const WHOLE = {
  IPv4: { level: 0, option: 10 },
  IPv6: { level: 41, option: 23 },
} as const;
const DO = 2;
/** IPV6_MULTICAST_HOPS: RFC 4861 section 7.1.1 wants 255 of a solicitation. */
const MULTICAST_HOPS = { level: 41, option: 18, value: 255 } as const;
/** Only the beginning of an answer is looked at. */
const PACKET_BYTES = 128;

export interface Asker {
  /** `bytes`: of the whole packet. Throws SocketError; EMSGSIZE: larger than the path MTU that is known by now. */
  echo(question: { to: string; sequence: number; bytes: number }): void;
  /** Throws SocketError. */
  solicit(question: { target: string; link: { index: number; hardware: Uint8Array } }): void;
  close(): void;
}

export interface Answers {
  onEcho(sequence: number): void;
  /** Only of IPv6. */
  onAdvertised(address: string): void;
}

/** Throws SocketError (EPERM without NET_RAW). */
export function openAsker(family: Family, identifier: number, answers: Answers): Asker {
  const socket = new Socket(domainOf(family), SOCK.raw, PROTOCOL[family]);
  try {
    const { level, option } = WHOLE[family];
    socket.setOption(level, option, DO);
    if (family === "IPv6")
      socket.setOption(MULTICAST_HOPS.level, MULTICAST_HOPS.option, MULTICAST_HOPS.value);
    socket.attachFilter(accept(wantedOf(family, identifier)));
    socket.startReceiving({
      messageBytes: PACKET_BYTES,
      batch: 16,
      onMessages: (messages) => {
        for (const { bytes } of messages) take(family, bytes, { identifier, answers });
      },
      // ENETDOWN among others: what is not received counts as lost, and so does the small packet beside it.
      onError() {},
    });
    socket.unref();
  } catch (error) {
    socket.close();
    throw error;
  }
  return {
    echo({ to, sequence, bytes }) {
      const packet = encodeEcho(family, { identifier, sequence, bytes });
      socket.send([packet], [sockaddr({ family, address: to })]);
    },
    solicit({ target, link }) {
      const group = formatAddress(Buffer.from(solicitedNode(parseAddress(target))));
      const to = sockaddr({ family: "IPv6", address: group });
      // sin6_scope_id: a group of ff02::/16 is one of a link.
      int(link.index).copy(to, 24);
      socket.send([encodeSolicitation(parseAddress(target), link.hardware)], [to]);
    },
    close: () => socket.close(),
  };
}

function wantedOf(family: Family, identifier: number): Parameters<typeof accept>[0] {
  if (family === "IPv6") return [{ load: LOAD_BYTE, offset: 0, value: [ECHO_REPLY.IPv6, ADVERTISEMENT] }];
  const at = IP_HEADER_BYTES.IPv4;
  return [
    { load: LOAD_BYTE, offset: 0, value: 0x45 },
    { load: LOAD_BYTE, offset: at, value: ECHO_REPLY.IPv4 },
    { load: LOAD_HALF, offset: at + 4, value: identifier },
  ];
}

function take(
  family: Family,
  bytes: Buffer,
  { identifier, answers }: { readonly identifier: number; readonly answers: Answers },
): void {
  const sequence = decodeEchoReply(family, bytes, identifier);
  if (sequence !== undefined) answers.onEcho(sequence);
  else if (family === "IPv6") {
    const advertised = decodeAdvertised(bytes);
    if (advertised !== undefined) answers.onAdvertised(advertised);
  }
}
