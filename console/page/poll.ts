/** An answer that is asked for again and again while somebody looks. */
import { useEffect, useState } from "preact/hooks";
import { AskError, ask } from "./ask.ts";

export interface Polled<T> {
  /** The last one that came; it stays while newer ones fail. */
  readonly answer: T | undefined;
  /** Why the last question has no answer. */
  readonly error: string | undefined;
}

const EVERY_MS = 10_000;

/** `onGone`: the API server does not know the token any more. */
export function usePoll<T>(path: string, token: string, onGone: (why: string) => void): Polled<T> {
  const [polled, setPolled] = useState<Polled<T> & { readonly path: string }>({
    path,
    answer: undefined,
    error: undefined,
  });
  useEffect(() => {
    const end = new AbortController();
    let timer: ReturnType<typeof setTimeout> | undefined;
    const look = async (): Promise<void> => {
      clearTimeout(timer);
      if (document.hidden) return;
      try {
        const answer = await ask<T>(path, token, end.signal);
        setPolled({ path, answer, error: undefined });
      } catch (error) {
        if (end.signal.aborted) return;
        if (error instanceof AskError && error.code === 401) {
          onGone(error.message);
          return;
        }
        const text = error instanceof Error ? error.message : String(error);
        setPolled(({ answer }) => ({ path, answer, error: text }));
      }
      timer = setTimeout(() => void look(), EVERY_MS);
    };
    // A page that nobody sees asks for nothing.
    const onVisible = (): void => void look();
    document.addEventListener("visibilitychange", onVisible);
    void look();
    return () => {
      end.abort();
      clearTimeout(timer);
      document.removeEventListener("visibilitychange", onVisible);
    };
  }, [path, token]);
  return polled;
}
