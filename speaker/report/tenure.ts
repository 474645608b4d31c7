/** How this node came to own an address, for people. Pure. */
import type { Tenure } from "../ownership/ownership.ts";

export function tenureText(tenure: Tenure | undefined): string {
  if (tenure === undefined) return "not known any more";
  const { from, why } = tenure;
  switch (why) {
    case "First":
      return "no other node had it, as far as is known here";
    case "Dead":
      return `taken over from ${from}, which fell silent`;
    case "Left":
      return `taken over from ${from}, whose speaker said goodbye`;
    case "Ineligible":
      return `taken over from ${from}, which may not own it any more`;
    case "Elected":
      return `taken over from ${from}, before which this node comes in the election`;
    case "Given":
      return `given by ${from}, when addresses were spread anew`;
  }
}
