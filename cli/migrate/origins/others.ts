/** Other load balancers whose configuration is read. */
import { cilium } from "#cli/migrate/origins/cilium.ts";
import { keepalived } from "#cli/migrate/origins/keepalived.ts";
import { kubeVip } from "#cli/migrate/origins/kube-vip.ts";
import { openElb } from "#cli/migrate/origins/openelb.ts";
import type { Origin } from "#cli/migrate/origins/origin.ts";
import { pureLb } from "#cli/migrate/origins/purelb.ts";

export const ORIGINS: readonly Origin[] = [kubeVip, pureLb, cilium, openElb, keepalived];
