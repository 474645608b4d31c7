/** MetalLB, the operator's own object -> LoadBalancer; BFDProfile -> BFDProfile. */
import type { Converted } from "#cli/migrate/pools.ts";
import { dropUnset, isMap, type Notes, type Source } from "#cli/migrate/source.ts";

const WHY: Readonly<Record<string, string>> = {
  bgpBackend: "speakers speak BGP themselves",
  frrk8sConfig: "there is no FRR",
  image: "images are the operator's",
};

export function convertBalancers(sources: readonly Source[], notes: Notes): Converted[] {
  return sources.flatMap((source, at) => {
    if (at > 0) {
      notes.add(
        source,
        `is not carried over: the only LoadBalancer is made of MetalLB "${sources[0]?.name}"`,
      );
      return [];
    }
    const { spec } = source;
    dropUnset(spec, ["logLevel", "loadBalancerClass", "image", "bgpBackend"]);
    for (const [name, why] of Object.entries(WHY)) {
      if (spec[name] === undefined) continue;
      notes.add(source, `spec.${name}: ${JSON.stringify(spec[name])} is not carried over: ${why}`);
      delete spec[name];
    }
    for (const name of ["controllerConfig", "speakerConfig"]) {
      const config = spec[name];
      if (isMap(config)) dropUnset(config, ["priorityClassName", "runtimeClassName"]);
    }
    return [{ source, spec }];
  });
}

export function convertProfiles(sources: readonly Source[]): Converted[] {
  return sources.map((source) => {
    // Switched off is what they are without it.
    dropUnset(source.spec, ["echoMode", "passiveMode"]);
    return { source, spec: source.spec };
  });
}
