/** Admission: the Service before the controllers, the certificate's Secret, the webhook configuration. Pure. */
import type { V1ValidatingWebhook } from "@kubernetes/client-node";
import {
  GROUP,
  OPERATOR_NAME,
  PORT,
  VERSION,
  WEBHOOK_CONFIGURATION_NAME,
  WEBHOOK_SECRET_NAME,
  WEBHOOK_SERVICE_NAME,
} from "#api/names.ts";
import {
  secrets,
  services,
  type ValidatingWebhookConfiguration,
  validatingWebhookConfigurations,
} from "#common/kube/resource.ts";
import type { Wire } from "#common/kube/wire.ts";
import { type Child, child, type Site, selectorLabels } from "#operator/children/child.ts";

type Webhook = Wire<V1ValidatingWebhook>;

/** The path that judges objects of every kind. */
const VALIDATE_PATH = "/validate";
const KINDS = ["addresspools", "bfdprofiles", "bgppeers", "loadbalancers"];

/** PEM texts: what the controller serves with, and whom the API server may trust (the last authority too). */
export interface ServingCertificate {
  readonly certificate: string;
  readonly key: string;
  readonly authorities: string;
}

/** Whom a present configuration makes the API server trust, PEM, newest first. */
export function trustedBy(configuration: ValidatingWebhookConfiguration | undefined): string {
  const bundle = configuration?.webhooks?.[0]?.clientConfig.caBundle ?? "";
  return Buffer.from(bundle, "base64").toString("utf8");
}

/** The names under which the API server may call the webhook. */
export function webhookDnsNames(namespace: string): string[] {
  const name = `${WEBHOOK_SERVICE_NAME}.${namespace}.svc`;
  return [name, `${name}.cluster.local`];
}

export function webhookService(site: Site): Child {
  return child(
    services,
    { site, name: WEBHOOK_SERVICE_NAME, component: "webhook" },
    {
      spec: {
        type: "ClusterIP",
        selector: selectorLabels("controller"),
        ports: [{ name: "webhook", port: 443, targetPort: PORT.webhook, protocol: "TCP" }],
      },
    },
  );
}

export function webhookSecret(site: Site, certificate: ServingCertificate): Child {
  const base64 = (text: string): string => Buffer.from(text, "utf8").toString("base64");
  return child(
    secrets,
    { site, name: WEBHOOK_SECRET_NAME, component: "webhook" },
    {
      type: "kubernetes.io/tls",
      data: {
        "tls.crt": base64(certificate.certificate),
        "tls.key": base64(certificate.key),
        "ca.crt": base64(certificate.authorities),
      },
    },
  );
}

/**
 * Installed only while a controller can answer. Deletions are judged with failurePolicy Ignore: with Fail, deleting
 * the whole namespace would stop for good at the first AddressPool, since its judge goes first.
 */
export function webhookConfiguration(site: Site, certificate: ServingCertificate): Child {
  return child(
    validatingWebhookConfigurations,
    { site, name: WEBHOOK_CONFIGURATION_NAME, component: "webhook" },
    {
      webhooks: [
        webhook(site, certificate, {
          name: "change",
          operations: ["CREATE", "UPDATE"],
          failurePolicy: "Fail",
        }),
        webhook(site, certificate, { name: "removal", operations: ["DELETE"], failurePolicy: "Ignore" }),
      ],
    },
  );
}

function webhook(
  site: Site,
  certificate: ServingCertificate,
  judged: { readonly name: string; readonly operations: string[]; readonly failurePolicy: "Fail" | "Ignore" },
): Webhook {
  const operator = `system:serviceaccount:${site.namespace}:${OPERATOR_NAME}`;
  return {
    name: `${judged.name}.${GROUP}`,
    admissionReviewVersions: ["v1"],
    clientConfig: {
      caBundle: Buffer.from(certificate.authorities, "utf8").toString("base64"),
      service: { name: WEBHOOK_SERVICE_NAME, namespace: site.namespace, path: VALIDATE_PATH, port: 443 },
    },
    rules: [
      {
        apiGroups: [GROUP],
        apiVersions: [VERSION],
        operations: judged.operations,
        resources: KINDS,
        scope: "Namespaced",
      },
    ],
    matchConditions: [
      // The operator's own writes must never wait for the controller that it is about to remove.
      { name: "not-the-operator", expression: `request.userInfo.username != '${operator}'` },
      // What is being deleted must be able to lose its finalizers.
      { name: "not-leaving", expression: "object == null || !has(object.metadata.deletionTimestamp)" },
      // An uninstall may take the operator's rights first. Then nobody is left who would take this configuration away,
      // and it asks nobody any more.
      { name: "installed", expression: isInstalled(site) },
    ],
    failurePolicy: judged.failurePolicy,
    matchPolicy: "Equivalent",
    sideEffects: "None",
    timeoutSeconds: 5,
    namespaceSelector: {},
    objectSelector: {},
  };
}

/** CEL: the operator still has a right that only its installation gives. */
function isInstalled({ namespace }: Site): string {
  const operator = `authorizer.serviceAccount('${namespace}', '${OPERATOR_NAME}')`;
  const status = `group('${GROUP}').resource('loadbalancers').subresource('status').namespace('${namespace}')`;
  return `${operator}.${status}.check('patch').allowed()`;
}
