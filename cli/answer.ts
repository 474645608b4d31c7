/** What a command that reads a cluster answers with. Pure. */

/** docs/cli.md has this table; check and migrate, which are older, have one of their own. */
export const EXIT = {
  /** It was answered, and all is as it should be. */
  well: 0,
  /** It was answered, and something is not as it should be. */
  notWell: 1,
  /** `plan`: something would move. */
  moves: 2,
  /** There is no answer: it was asked wrongly, a right is missing, or the API server is away. */
  none: 3,
} as const;
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

export interface Answer {
  /** For people. */
  readonly text: string;
  /** For programs: plain JSON. */
  readonly value: unknown;
  readonly exitCode: ExitCode;
}
