/** The tables of privileges in docs/security.md, out of operator/children/{rbac,policies}.ts and config/rbac. Pure. */
import { DEFAULT_NAMESPACE } from "#api/names.ts";
import { limitsOf } from "#operator/children/policies.ts";
import {
  CONSOLE_RULES,
  CONTROLLER_RULES,
  namedSecretRules,
  type PolicyRule,
  type RoleRules,
  SPEAKER_RULES,
} from "#operator/children/rbac.ts";

export const BEGIN = "<!-- privileges: made by hack/generate.ts -->";
export const END = "<!-- end of privileges -->";

/** A Role or ClusterRole of config/rbac. */
export interface OperatorRole {
  readonly kind: string;
  readonly rules?: readonly PolicyRule[];
}

/** Resource -> what controller and speakers need it for. */
const PURPOSE: Readonly<Record<string, string>> = {
  addresspools: "what is configured",
  loadbalancers: "what is configured; as a node's speaker ends, whether the node is to be cleaned",
  speakerstatuses: "what nodes report: a speaker its own, the controller reads them for BGPPeers",
  "speakerstatuses/status": "the node's own report",
  "addresspools/status": "whether it is valid, what is in use",
  leases: "who leads; which speakers live",
  services: "who asks for addresses, who has them",
  "services/status": "addresses, forwarding ids, conditions",
  namespaces: "whom a pool is for; as a node's speaker ends, whether the install namespace goes",
  nodes: "where nodes are, which are left out, which addresses are theirs",
  servicecidrs: "addresses that the cluster itself uses: no Service gets one",
  endpointslices: "where the pods are",
  events: "what changed, told at the object",
  secrets: "the keys of gossip; passwords of BGP sessions, the key of calls about owners",
  tokenreviews: "whose token a reader of metrics shows",
  subjectaccessreviews: "whether they may read them",
};

/** The lines between the two marks. */
export function privileges(operator: readonly OperatorRole[]): string {
  const speaker = {
    ...SPEAKER_RULES,
    inNamespace: [
      ...SPEAKER_RULES.inNamespace,
      ...namedSecretRules(["named by BGPPeers, or by the LoadBalancer"]),
    ],
  };
  return [
    BEGIN,
    "",
    "| who | where | what | verbs | for what |",
    "|---|---|---|---|---|",
    ...rowsOf(CONTROLLER_RULES),
    ...rowsOf({ ...CONSOLE_RULES, component: "controller, with the console on" }),
    ...rowsOf(speaker),
    "",
    "| policy | what the role's write is refused for |",
    "|---|---|",
    ...policyRows(),
    "",
    "Kubernetes lets nobody grant a right that they do not hold, so the operator has all rights above, too. Beside them it has:",
    "",
    "| where | what | verbs |",
    "|---|---|---|",
    ...operator.flatMap(({ kind, rules = [] }) =>
      rules
        .filter((rule) => !isGranted(rule, kind))
        .map((rule) => `| ${placeOf(kind)} | ${thingsOf(rule)} | ${rule.verbs.join(", ")} |`),
    ),
    "",
    END,
  ].join("\n");
}

interface Who extends Pick<RoleRules, "inNamespace" | "inCluster"> {
  readonly component: string;
}

function rowsOf({ component, inNamespace, inCluster }: Who): string[] {
  const row = (kind: string) => (rule: PolicyRule) =>
    `| ${component} | ${placeOf(kind)} | ${thingsOf(rule)} | ${rule.verbs.join(", ")} | ${purposeOf(rule)} |`;
  return [...inNamespace.map(row("Role")), ...inCluster.map(row("ClusterRole"))];
}

const placeOf = (kind: string): string => (kind === "Role" ? "install namespace" : "everywhere");

function thingsOf({ resources = [], resourceNames = [] }: PolicyRule): string {
  const names = resourceNames.length === 0 ? "" : ` ${resourceNames.join(", ")}`;
  return `${resources.map((resource) => `\`${resource}\``).join(", ")}${names}`;
}

function purposeOf({ resources: [resource = ""] = [] }: PolicyRule): string {
  const purpose = PURPOSE[resource];
  if (purpose === undefined)
    throw new Error(`hack/privileges.ts: nothing says what ${resource} is needed for`);
  return purpose;
}

/** Held only because controller or speakers have the very right. */
function isGranted(rule: PolicyRule, kind: string): boolean {
  const rules = [CONTROLLER_RULES, SPEAKER_RULES].flatMap(({ inNamespace, inCluster }) =>
    kind === "Role" ? [...inNamespace, ...namedSecretRules(["any"])] : inCluster,
  );
  const { apiGroups = [], resources = [], resourceNames = [], verbs } = rule;
  const isAbout = (granted: PolicyRule, resource: string): boolean =>
    granted.apiGroups?.[0] === apiGroups[0] &&
    granted.resources?.includes(resource) === true &&
    (resource === "secrets"
      ? resourceNames.length === 0
      : JSON.stringify(granted.resourceNames ?? []) === JSON.stringify(resourceNames));
  return resources.every((resource) =>
    verbs.every((verb) =>
      rules.some((granted) => isAbout(granted, resource) && granted.verbs.includes(verb)),
    ),
  );
}

interface PolicyObject {
  readonly kind: string;
  readonly metadata: { readonly name: string };
  readonly spec: {
    readonly validations?: readonly { readonly message?: string; readonly messageExpression?: string }[];
  };
}

function policyRows(): string[] {
  const site = {
    namespace: DEFAULT_NAMESPACE,
    images: { controller: "", speaker: "" },
    pullPolicy: "Never",
    networkPolicy: "Enabled",
  } as const;
  return limitsOf(site)
    .map(({ object }) => object as unknown as PolicyObject)
    .filter(({ kind }) => kind === "ValidatingAdmissionPolicy")
    .map(({ metadata, spec }) => {
      const words = (spec.validations ?? []).map(({ message, messageExpression = "" }) =>
        message === undefined ? plain(messageExpression) : message,
      );
      return `| \`${metadata.name}\` | ${words.join("; ")} |`;
    });
}

/** `'the Lease speaker-' + variables.node` as people read it. */
const plain = (expression: string): string =>
  expression
    .replace(/^'/, "")
    .replace(/'$/, "")
    .replace(/' \+ variables\.node$/, "NODE");
