/** What the kernel refused. */

const NAMES: Readonly<Record<number, string>> = {
  1: "EPERM",
  2: "ENOENT",
  3: "ESRCH",
  4: "EINTR",
  11: "EAGAIN",
  12: "ENOMEM",
  13: "EACCES",
  14: "EFAULT",
  16: "EBUSY",
  17: "EEXIST",
  19: "ENODEV",
  22: "EINVAL",
  23: "ENFILE",
  28: "ENOSPC",
  34: "ERANGE",
  75: "EOVERFLOW",
  90: "EMSGSIZE",
  95: "EOPNOTSUPP",
  97: "EAFNOSUPPORT",
  99: "EADDRNOTAVAIL",
  100: "ENETDOWN",
  101: "ENETUNREACH",
  105: "ENOBUFS",
  110: "ETIMEDOUT",
  113: "EHOSTUNREACH",
};

/** Errnos that say that there is no such thing. */
export const NOT_THERE: readonly number[] = [2, 3];
/** Errnos that say that no way leads to an address: ENETUNREACH, EHOSTUNREACH. */
export const NO_WAY: readonly number[] = [101, 113];

const WORDS: Readonly<Record<string, string>> = {
  EPERM: "not permitted",
  ENOENT: "there is no such thing",
  ESRCH: "what it belongs to is not there",
  EAGAIN: "try again",
  ENOMEM: "no memory",
  EBUSY: "in use",
  EEXIST: "something else is there already",
  EINVAL: "not a valid one",
  ENFILE: "the set is full",
  ENOSPC: "no room",
  ERANGE: "out of range",
  EMSGSIZE: "too much at once",
  EOPNOTSUPP: "this kernel cannot do it",
  EAFNOSUPPORT: "this kernel has not that address family",
  ENOBUFS: "no memory",
};

/** An errno's name, for people. */
export const errnoWords = (code: string): string => WORDS[code] ?? "refused";

/** `code` is the errno's name; `attempt` says what was asked for. */
export class NetlinkError extends Error {
  readonly code: string;
  readonly errno: number;
  readonly attempt: string;

  constructor(attempt: string, errno: number, explanation?: string, options?: ErrorOptions) {
    const code = NAMES[errno] ?? `E${errno}`;
    super(`${attempt}: ${code}${explanation ? ` (${explanation})` : ""}`, options);
    this.name = "NetlinkError";
    this.code = code;
    this.errno = errno;
    this.attempt = attempt;
  }
}

/** The kernel has no generic netlink family of the name, and found no module that has. */
export class NoFamilyError extends NetlinkError {
  constructor(attempt: string, options?: ErrorOptions) {
    super(attempt, 2, undefined, options);
    this.name = "NoFamilyError";
  }
}

export const isErrno = (error: unknown, ...codes: string[]): error is NetlinkError =>
  error instanceof NetlinkError && codes.includes(error.code);
