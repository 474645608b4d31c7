/** One Service: the way from its address to its pods, as a picture and step by step, and where its addresses have been. */
import { useState } from "preact/hooks";
import type { Stay } from "#cli/history/command.ts";
import type { ServiceAnswer } from "#console/answers.ts";
import { ago } from "./ago.ts";
import { Trouble } from "./list.tsx";
import type { ViewProps } from "./main.tsx";
import { Picture } from "./picture.tsx";
import { hashOf } from "./place.ts";
import { usePoll } from "./poll.ts";
import { Table } from "./table.tsx";
import { TrafficOf } from "./traffic.tsx";

export function ServiceView({ place, token, onGone }: ViewProps) {
  const { from = "" } = place.query;
  const query = new URLSearchParams({ name: place.name ?? "", from });
  const { answer, error } = usePoll<ServiceAnswer>(`api/service?${query}`, token, onGone);
  const client = (
    <Client
      from={from}
      onFrom={(text) => location.replace(hashOf({ ...place, query: { ...place.query, from: text } }))}
    />
  );
  if (answer === undefined)
    return error === undefined ? (
      <p role="status">Reading the cluster</p>
    ) : (
      <>
        {client}
        <Trouble error={error} />
      </>
    );
  const { steps, broken, way, stays, at } = answer;
  return (
    <>
      <Trouble error={error} />
      <p class={broken === undefined ? "verdict well" : "verdict bad"} role="status">
        {broken === undefined ? "Nothing is broken on the way to its pods." : `Broken: ${broken.says}`}
      </p>
      <Picture way={way} />
      <TrafficOf rates={way.traffic} at={at} />
      {client}
      <ol class="steps">
        {steps.map(({ step, isOk, says, details }) => (
          <li key={step} class={isOk ? undefined : "bad"}>
            <strong>
              {step}: {isOk ? "ok" : "broken"}
            </strong>
            <p>{says}</p>
            {details.length > 0 && (
              <details open={!isOk || step === "connection"}>
                <summary>What was looked at</summary>
                <ul>
                  {details.filter(Boolean).map((line) => (
                    <li key={line}>{line}</li>
                  ))}
                </ul>
              </details>
            )}
          </li>
        ))}
      </ol>
      {stays.length > 0 && <Stays stays={stays} at={at} />}
    </>
  );
}

/** Which pod a connection of this client goes to is a step of its own. */
function Client({ from, onFrom }: { readonly from: string; readonly onFrom: (text: string) => void }) {
  const [typed, setTyped] = useState(from);
  return (
    <form
      class="search"
      onSubmit={(event) => {
        event.preventDefault();
        onFrom(typed.trim());
      }}
    >
      <label>
        A connection from ADDRESS:PORT{" "}
        <input
          maxLength={64}
          autocomplete="off"
          spellcheck={false}
          value={typed}
          onInput={(event) => setTyped(event.currentTarget.value)}
        />
      </label>
      <button type="submit">Which pod does it go to?</button>
    </form>
  );
}

/** The latest first: that is what somebody looks for. */
function Stays({ stays, at }: { readonly stays: readonly Stay[]; readonly at: string }) {
  const caption = "Where its addresses have been, the latest first";
  return (
    <>
      <h2>{caption}</h2>
      <Table caption={caption}>
        <thead>
          <tr>
            {["Address", "Node", "Since", "For", "Without owner before", "Why"].map((head) => (
              <th key={head} scope="col">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {stays.toReversed().map(({ address, node, since, until, without, reason }) => (
            <tr key={[address, node, since].join()}>
              <td>{address}</td>
              <td>{node}</td>
              <td>{new Date(since).toLocaleString()}</td>
              <td>{until === undefined ? `${ago(since, at)}, until now` : ago(since, until)}</td>
              <td>{without === undefined ? "" : `${without} s`}</td>
              <td>{reason}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}
