/** A table in a part of the page that scrolls by itself, so that it fits a narrow screen. */
import type { ComponentChildren } from "preact";

export const Table = ({ caption, children }: { readonly caption: string; children: ComponentChildren }) => (
  // biome-ignore lint/a11y/noNoninteractiveTabindex: who scrolls by keyboard has to reach it.
  <section class="table" tabIndex={0} aria-label={caption}>
    <table>{children}</table>
  </section>
);
