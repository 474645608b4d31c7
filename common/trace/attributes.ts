/** What the spans of a Service's change say of it, whichever program makes them. Pure. */

/** `key`: namespace/name. `vips`: the addresses that it was given. */
export function attributesOf(key: string, vips: readonly string[]): Record<string, string> {
  const [namespace = "", name = ""] = key.split("/");
  return {
    "genkan.service.namespace": namespace,
    "genkan.service.name": name,
    "genkan.addresses": vips.join(","),
  };
}
