/** The passwords of BGP sessions: the Secrets that BGPPeers name. */
import { NamedSecrets, type NamedSecretsOptions } from "./named-secrets.ts";
import type { Password } from "./password.ts";
import { projectPassword } from "./project-bgp.ts";

export class Passwords extends NamedSecrets<Password> {
  constructor(options: NamedSecretsOptions) {
    super(options, { type: "kubernetes.io/basic-auth", project: projectPassword });
  }
}
