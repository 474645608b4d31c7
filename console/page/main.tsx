/** The console's page: who looks, where he is, and the views. */
import { render } from "preact";
import { useEffect, useRef, useState } from "preact/hooks";
import type { VisitorAnswer } from "#console/serve.ts";
import { MovesView } from "./moves.tsx";
import { NodeView } from "./node.tsx";
import { Overview } from "./overview.tsx";
import { hashOf, type Place, placeOf, VIEWS, type View } from "./place.ts";
import { ServiceView } from "./service.tsx";
import { SignIn } from "./sign-in.tsx";
import { NodesView, PoolsView, ServicesView, SessionsView } from "./views.tsx";

const TITLES: Readonly<Record<View, string>> = {
  overview: "Overview",
  services: "Services",
  service: "Service",
  pools: "Pools",
  nodes: "Nodes",
  node: "Node",
  sessions: "Sessions",
  moves: "Moves",
};

/** Where somebody comes from to what is one of a list. */
const LIST_OF: Readonly<Partial<Record<View, View>>> = { service: "services", node: "nodes" };

interface Visit extends VisitorAnswer {
  readonly token: string;
}

function Console() {
  const [visit, setVisit] = useState<Visit>();
  const [gone, setGone] = useState<string>();
  const [place, setPlace] = useState(placeOf(location.hash));
  useEffect(() => {
    const onMove = (): void => setPlace(placeOf(location.hash));
    addEventListener("hashchange", onMove);
    return () => removeEventListener("hashchange", onMove);
  }, []);
  const heading = useRef<HTMLHeadingElement>(null);
  const title = place.name ?? TITLES[place.view];
  const isFirst = useRef(true);
  useEffect(() => {
    document.title = `${title} - Genkan`;
    // Who uses a keyboard or a screen reader goes on where the new view begins.
    if (isFirst.current) isFirst.current = false;
    else heading.current?.focus();
  }, [title]);
  if (visit === undefined)
    return (
      <SignIn
        gone={gone}
        onVisit={(token, answer) => {
          setGone(undefined);
          setVisit({ token, ...answer });
        }}
      />
    );
  return (
    <>
      <button type="button" class="skip" onClick={() => heading.current?.focus()}>
        Skip to content
      </button>
      <header>
        <strong>Genkan</strong>
        <nav aria-label="Views">
          {VIEWS.map((view) => (
            <a
              key={view}
              href={hashOf({ view, query: {} })}
              aria-current={view === (LIST_OF[place.view] ?? place.view) ? "page" : undefined}
            >
              {TITLES[view]}
            </a>
          ))}
        </nav>
        <span class="who">
          {visit.user}{" "}
          <button type="button" onClick={() => setVisit(undefined)}>
            Forget the token
          </button>
        </span>
      </header>
      <main id="main">
        <h1 ref={heading} tabIndex={-1}>
          {title}
        </h1>
        {visit.missing.length > 0 && (
          <p class="note">You may not list {visit.missing.join(", ")}: what is made of it is not shown.</p>
        )}
        <Shown
          place={place}
          token={visit.token}
          onGone={(why) => {
            setGone(why);
            setVisit(undefined);
          }}
        />
      </main>
    </>
  );
}

export interface ViewProps {
  readonly token: string;
  readonly place: Place;
  /** The token is no longer good. */
  readonly onGone: (why: string) => void;
}

function Shown(props: ViewProps) {
  switch (props.place.view) {
    case "overview":
      return <Overview {...props} />;
    case "services":
      return <ServicesView {...props} />;
    case "service":
      return <ServiceView {...props} key={props.place.name} />;
    case "pools":
      return <PoolsView {...props} />;
    case "nodes":
      return <NodesView {...props} />;
    case "node":
      return <NodeView {...props} key={props.place.name} />;
    case "sessions":
      return <SessionsView {...props} />;
    case "moves":
      return <MovesView {...props} />;
  }
}

const root = document.getElementById("console");
if (root !== null) render(<Console />, root);
