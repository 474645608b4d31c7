/**
 * The time of this process: it does not go on while the process stands still, because the machine has no processor for it.
 * By it a client of a test judges that it got no answer: what came while it stood still is in its socket.
 */

/** Between two looks at the clock. */
const BEAT_MS = 20;
/** Timers of a process that gets on are late by less. */
const IN_TIME_MS = 10;

export class OwnTime {
  #stoodMs = 0;
  #last = performance.now();

  /** Keeps no process from ending. */
  constructor() {
    setInterval(() => this.#beat(), BEAT_MS).unref();
  }

  /** Milliseconds. */
  now(): number {
    return performance.now() - this.#stoodMs;
  }

  /** Calls `done` after so many of them, and after what the sockets have had by then. Returns what takes it back. */
  after(ms: number, done: () => void): () => void {
    const due = this.now() + ms;
    let timer: NodeJS.Timeout;
    let immediate: NodeJS.Immediate | undefined;
    const look = (): void => {
      const left = due - this.now();
      if (left >= 1) timer = setTimeout(look, left);
      else immediate = setImmediate(done);
    };
    timer = setTimeout(look, ms);
    return () => {
      clearTimeout(timer);
      clearImmediate(immediate);
    };
  }

  #beat(): void {
    const now = performance.now();
    const late = now - this.#last - BEAT_MS;
    if (late > IN_TIME_MS) this.#stoodMs += late;
    this.#last = now;
  }
}
