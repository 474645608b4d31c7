/** Which build this is, said in logs, metrics and statuses. */

/** Put in by the bundler (hack/images/bundle.ts). */
declare const __GENKAN_VERSION__: string | undefined;

/** `development` where the sources run without a bundle. */
export const BUILD = typeof __GENKAN_VERSION__ === "undefined" ? "development" : __GENKAN_VERSION__;
