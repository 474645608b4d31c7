/** Asks for the token. */
import { useState } from "preact/hooks";
import type { VisitorAnswer } from "#console/serve.ts";
import { ask } from "./ask.ts";

interface SignInProps {
  /** Why the token before was forgotten. */
  readonly gone: string | undefined;
  readonly onVisit: (token: string, answer: VisitorAnswer) => void;
}

export function SignIn({ gone, onVisit }: SignInProps) {
  const [token, setToken] = useState("");
  const [error, setError] = useState(gone);
  const [isAsking, setAsking] = useState(false);
  const enter = async (): Promise<void> => {
    setAsking(true);
    try {
      const trimmed = token.trim();
      onVisit(trimmed, await ask<VisitorAnswer>("api/visitor", trimmed));
    } catch (failure) {
      setError(failure instanceof Error ? failure.message : String(failure));
      setAsking(false);
    }
  };
  return (
    <main class="sign-in">
      <h1>Genkan</h1>
      <form
        onSubmit={(event) => {
          event.preventDefault();
          void enter();
        }}
      >
        <label for="token">Bearer token</label>
        <input
          id="token"
          type="password"
          autocomplete="off"
          spellcheck={false}
          required
          value={token}
          onInput={(event) => setToken(event.currentTarget.value)}
          aria-describedby="token-help"
        />
        <button type="submit" disabled={isAsking}>
          {isAsking ? "Asking the API server" : "Show the cluster"}
        </button>
        <p role="alert" class="error">
          {error}
        </p>
      </form>
      <p id="token-help">
        The console shows what the holder of the token may list, and changes nothing. For a ServiceAccount{" "}
        <code>kubectl create token NAME -n NAMESPACE</code> makes one. It stays in this page's memory: a
        reload forgets it.
      </p>
    </main>
  );
}
