/** Is all well, and if not, what is not and what to do. */
import type { StatusAnswer } from "#console/answers.ts";
import { Trouble } from "./list.tsx";
import type { ViewProps } from "./main.tsx";
import { hashOf } from "./place.ts";
import { usePoll } from "./poll.ts";
import { ratesText } from "./rate.ts";

export function Overview({ token, onGone }: ViewProps) {
  const { answer, error } = usePoll<StatusAnswer>("api/status", token, onGone);
  return (
    <>
      <Trouble error={error} />
      {answer === undefined ? (
        error === undefined && <p role="status">Reading the cluster</p>
      ) : (
        <Told {...answer} />
      )}
    </>
  );
}

function Told({
  at,
  controllers,
  speakers,
  pools,
  sessions,
  services,
  broken,
  findings,
  progress,
  traffic,
}: StatusAnswer) {
  const isWell = findings.all === 0 && broken === 0;
  return (
    <>
      <p class={isWell ? "verdict well" : "verdict bad"} role="status">
        {isWell
          ? "All is well."
          : `${counted(findings.all, "thing is", "things are")} not well; ${counted(broken, "Service has", "Services have")} something broken.`}
      </p>
      {progress !== undefined && <p class="note">A change is on its way: {progress}</p>}
      <dl class="tiles">
        <Tile name="Controllers ready" text={`${controllers.ready} of ${controllers.desired}`} />
        <Tile name="Speakers ready" text={`${speakers.ready} of ${speakers.desired}`} view="nodes" />
        <Tile
          name="Services with an address"
          text={`${services.withAddress} of ${services.ours}`}
          view="services"
        />
        <Tile name="Services with something broken" text={String(broken)} view="services" only="broken" />
        <Tile name="Pools" text={String(pools)} view="pools" />
        <Tile
          name="BGP sessions established"
          text={`${sessions.established} of ${sessions.configured}`}
          view="sessions"
        />
        {traffic !== undefined && (
          <Tile name="Coming in" text={ratesText(traffic)} view="services" order="busiest" />
        )}
      </dl>
      {findings.all > 0 && (
        <>
          <h2>What is not well</h2>
          <ul class="findings">
            {findings.rows.map(({ kind, name, condition, reason, message, advice }) => (
              <li key={[kind, name, condition, reason, message].join()}>
                <strong>
                  {kind} {name}: {reason}
                </strong>
                <p>{message}</p>
                <p>{advice}</p>
              </li>
            ))}
          </ul>
          {findings.fitting > findings.rows.length && (
            <p>and {findings.fitting - findings.rows.length} more</p>
          )}
        </>
      )}
      <p class="time">As the cluster was at {new Date(at).toLocaleTimeString()}.</p>
    </>
  );
}

const counted = (number: number, one: string, many: string): string =>
  `${number} ${number === 1 ? one : many}`;

interface TileProps {
  readonly name: string;
  readonly text: string;
  readonly view?: "services" | "pools" | "nodes" | "sessions";
  readonly only?: "broken";
  readonly order?: "busiest";
}

function Tile({ name, text, view, only, order }: TileProps) {
  return (
    <div>
      <dt>{name}</dt>
      <dd>
        {view === undefined ? (
          text
        ) : (
          <a
            href={hashOf({ view, query: { only: only ?? "", order: order ?? "" } })}
            // By itself a number says nothing to who goes from link to link.
            aria-label={`${name}: ${text}`}
          >
            {text}
          </a>
        )}
      </dd>
    </div>
  );
}
