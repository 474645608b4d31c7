// VitePress' configuration; hack/site/main.ts puts it beside a copy of the pages, with what is in site.json.
import { readFileSync } from "node:fs";

const { sidebar } = JSON.parse(readFileSync(new URL("./site.json", import.meta.url), "utf8"));

// As forges name headings, and as links in the pages do (hack/pages.ts).
const slugify = (title) =>
  title
    .toLowerCase()
    .replaceAll(/[^\p{L}\p{N}\s_-]/gu, "")
    .trim()
    .replaceAll(/\s/g, "-");

// biome-ignore lint/style/noDefaultExport: VitePress asks for it
export default {
  title: "Genkan",
  description: "type: LoadBalancer for Kubernetes clusters without a cloud",
  lang: "en",
  base: process.env.SITE_BASE ?? "/",
  // Nothing in the pages is HTML or a template of Vue: text that looks like one is text.
  markdown: { anchor: { slugify }, config: (md) => md.set({ html: false }) },
  vue: { template: { compilerOptions: { delimiters: ["\u0001", "\u0002"] } } },
  // An address of the reader's own machine.
  ignoreDeadLinks: [/^http:\/\/localhost/],
  themeConfig: {
    sidebar,
    outline: [2, 3],
    search: { provider: "local" },
    docFooter: { prev: false, next: false },
  },
};
