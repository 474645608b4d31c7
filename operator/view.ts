/** What one pass of the operator sees. Nothing here changes while the pass runs. */
import type { LoadBalancer, Resource } from "#common/kube/resource.ts";
import type { KubeObject } from "#common/kube/wire.ts";
import { describeChild, type Site } from "#operator/children/child.ts";
import type { ServingCertificate } from "#operator/children/webhook.ts";

export interface ActualChild {
  readonly resource: Resource<KubeObject>;
  readonly object: KubeObject;
  /** Who else put fields into it (ownership.ts). */
  readonly strangers: readonly string[];
  /** metadata.managedFields. */
  readonly fields?: readonly unknown[];
}

export interface ConditionView {
  readonly type: string;
  readonly status: string;
  readonly reason: string;
  readonly message: string;
}

/** A node's SpeakerStatus, as far as it concerns the operator. */
export interface SpeakerView {
  readonly node: string;
  readonly uid: string;
  readonly conditions: readonly ConditionView[];
}

export interface PodView {
  readonly name: string;
  readonly component: "controller" | "speaker";
  /** undefined until it is scheduled. */
  readonly node: string | undefined;
  readonly isReady: boolean;
  /** Why it is not ready, in the kubelet's or scheduler's words. */
  readonly problem: string | undefined;
  /** Since when it is not ready; undefined if it is. */
  readonly unreadySince: string | undefined;
  /** RFC 3339. */
  readonly createdAt: string;
  /** When it had to be gone, its grace over; undefined if nobody deleted it. */
  readonly goneBy: string | undefined;
}

/** A speaker's liveness Lease, of which the operator reads nothing: it has to be taken away in the end. */
export interface LeaseView {
  readonly name: string;
  readonly node: string;
}

/** Something without a namespace that another namespace's operator made. */
export interface RivalView {
  /** `ClusterRole genkan-controller`. */
  readonly what: string;
  readonly namespace: string;
}

/** The DaemonSet's controller could not make a pod. */
export interface PodRefusalView {
  /** Of the DaemonSet. */
  readonly uid: string | undefined;
  readonly message: string;
  /** When it last said so, RFC 3339. */
  readonly at: string;
}

/** The install namespace. */
export interface HomeView {
  readonly uid: string;
  readonly isTerminating: boolean;
}

/** What is configured that decides about the rights of speakers. */
export interface PeeringView {
  /** There is a BGPPeer: speakers listen on port 179. */
  readonly hasPeers: boolean;
  /** A BFDProfile asks for intervals that only a thread with a fixed priority keeps. */
  readonly hasFastProfile: boolean;
  /** Names of the Secrets in which BGPPeers have their passwords; sorted, none twice. */
  readonly passwordSecrets: readonly string[];
}

export interface OperatorView {
  readonly site: Site;
  /** undefined only while nothing is known. */
  readonly home: HomeView | undefined;
  readonly now: Date;
  readonly loadBalancer: LoadBalancer | undefined;
  /** LoadBalancers with any other name. */
  readonly misnamed: readonly LoadBalancer[];
  readonly children: readonly ActualChild[];
  readonly rivals: readonly RivalView[];
  readonly podRefusals: readonly PodRefusalView[];
  readonly speakers: readonly SpeakerView[];
  readonly pods: readonly PodView[];
  /** Names of the cluster's nodes. */
  readonly nodes: ReadonlySet<string>;
  readonly leases: readonly LeaseView[];
  /** For how long, by the operator's own watching, no controller was available; 0 while there is one. */
  readonly withoutControllersMs: number;
  /** For how long, by the operator's own watching, there was no speaker's pod; 0 while there is one. */
  readonly withoutSpeakersMs: number;
  readonly peering: PeeringView;
  /** Present while there is something to install. */
  readonly certificate: ServingCertificate | undefined;
  /** As nextKeys gives them. */
  readonly gossipKeys: string;
}

/** The child of this kind and name, if it exists. */
export function findChild(view: OperatorView, kind: string, name: string): KubeObject | undefined {
  return view.children.find(({ resource, object }) => resource.kind === kind && object.metadata.name === name)
    ?.object;
}

export function childKey(child: Pick<ActualChild, "resource" | "object">): string {
  return describeChild(child.resource, child.object);
}

/** The condition `type` of a node's speaker, if it is reported. */
export function conditionOf(speaker: SpeakerView, type: string): ConditionView | undefined {
  return speaker.conditions.find((condition) => condition.type === type);
}
