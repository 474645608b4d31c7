/** What each balancer is told for so many pods: text for nft(8), ipvsadm(8), nginx and haproxy, and what Genkan is asked. */
import type { ForwardingInput } from "#speaker/forwarding/types.ts";
import { POD_PORT, PORT } from "../forwarding-hops.ts";
import { kubeProxyTable } from "../forwarding-kube-proxy.ts";
import { addressesOf, podsOf, type Way } from "./ways.ts";

/** Lines for `nft -f`, in place of what was there. */
export function dnat(way: Way, count: number): string {
  const service = { vip: addressesOf(way).vip, port: PORT, pods: podsOf(way, count), podPort: POD_PORT };
  const lines = kubeProxyTable("IPv4", { ...service, isMasqueraded: way.pods !== "near" });
  return `${["table ip kube-proxy {}", "delete table ip kube-proxy", ...lines].join("\n")}\n`;
}

/** Lines for `ipvsadm -R`, in place of what was there. */
export function ipvs(way: Way, count: number): string {
  const service = `${addressesOf(way).vip}:${PORT}`;
  const servers = podsOf(way, count).map((pod) => `-a -t ${service} -r ${pod}:${POD_PORT} -m`);
  return `${["-C", `-A -t ${service} -s rr`, ...servers].join("\n")}\n`;
}

/** One worker: there is one processor. */
const nginx = (directory: string, block: string): string => `
daemon off;
worker_processes 1;
worker_rlimit_nofile 8192;
pid ${directory}/pid;
error_log stderr crit;
load_module /usr/lib/nginx/modules/ngx_stream_module.so;
events { worker_connections 4096; }
${block}
`;

export function nginxBalancer(directory: string, way: Way, count: number): string {
  const servers = podsOf(way, count).map((pod) => `server ${pod}:${POD_PORT};`);
  return nginx(
    directory,
    `stream {
  upstream pods { ${servers.join(" ")} }
  server { listen ${addressesOf(way).vip}:${PORT} backlog=4096; proxy_pass pods; }
}`,
  );
}

/** The pods themselves: all addresses of the namespace. */
export function nginxPods(directory: string): string {
  const own = ["client_body", "proxy", "fastcgi", "uwsgi", "scgi"].map(
    (each) => `${each}_temp_path ${directory}/${each};`,
  );
  return nginx(
    directory,
    `http {
  ${own.join(" ")}
  access_log off;
  keepalive_requests 10000000;
  server { listen ${POD_PORT} backlog=4096; location / { return 200 "${"x".repeat(100)}"; } }
}`,
  );
}

export function haproxy(way: Way, count: number): string {
  const servers = podsOf(way, count).map((pod, at) => `  server pod${at} ${pod}:${POD_PORT}`);
  return `
global
  nbthread 1
  maxconn 4096
defaults
  mode tcp
  timeout connect 5s
  timeout client 60s
  timeout server 60s
frontend clients
  bind ${addressesOf(way).vip}:${PORT} backlog 4096
  default_backend pods
backend pods
  balance roundrobin
${servers.join("\n")}
`;
}

/** What the speaker would be told on one of the two nodes. */
export function genkanInput(way: Way, count: number, on: "node" | "other"): ForwardingInput {
  const { vip, node, nodeToOther, otherToNode } = addressesOf(way);
  const isLocal = way.pods === "near" || on === "other";
  return {
    nodeAddresses: { IPv4: way.pods === "near" ? node : on === "node" ? nodeToOther : otherToNode },
    vips: [vip],
    ports: [
      {
        ...{ id: 5000, family: "IPv4", vip, protocol: "TCP", port: PORT },
        ...{ scheduler: "mh", affinity: false, preferLocal: false },
        endpoints: podsOf(way, count).map((address) => ({
          ...{ address, port: POD_PORT, isLocal, isServing: true, returnPath: "direct" },
        })),
      },
    ],
  };
}
