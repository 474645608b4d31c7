/** Kubeconfigs with everything inside: the authority, and a client's certificate and key. Pure. */
import { stringify } from "yaml";
import type { Credential } from "#hack/lab/pki.ts";

export interface KubeconfigParts {
  /** URL of the API server. */
  readonly server: string;
  /** PEM. */
  readonly authority: string;
  readonly user: Credential;
  /** Name of cluster, user and context. */
  readonly name: string;
}

export function kubeconfig({ server, authority, user, name }: KubeconfigParts): string {
  const base64 = (text: string): string => Buffer.from(text).toString("base64");
  return stringify(
    {
      apiVersion: "v1",
      kind: "Config",
      clusters: [{ name, cluster: { server, "certificate-authority-data": base64(authority) } }],
      users: [
        {
          name,
          user: {
            "client-certificate-data": base64(user.certificate),
            "client-key-data": base64(user.key),
          },
        },
      ],
      contexts: [{ name, context: { cluster: name, user: name } }],
      "current-context": name,
    },
    { lineWidth: 0 },
  );
}
