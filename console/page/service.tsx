/** One Service: the way from its address to its pods, as a picture and step by step. */
import type { ServiceAnswer } from "#console/answers.ts";
import { Trouble } from "./list.tsx";
import type { ViewProps } from "./main.tsx";
import { Picture } from "./picture.tsx";
import { usePoll } from "./poll.ts";

export function ServiceView({ place, token, onGone }: ViewProps) {
  const query = new URLSearchParams({ name: place.service ?? "" });
  const { answer, error } = usePoll<ServiceAnswer>(`api/service?${query}`, token, onGone);
  if (answer === undefined)
    return error === undefined ? <p role="status">Reading the cluster</p> : <Trouble error={error} />;
  const { steps, broken, way } = answer;
  return (
    <>
      <Trouble error={error} />
      <p class={broken === undefined ? "verdict well" : "verdict bad"} role="status">
        {broken === undefined ? "Nothing is broken on the way to its pods." : `Broken: ${broken.says}`}
      </p>
      <Picture way={way} />
      <ol class="steps">
        {steps.map(({ step, isOk, says, details }) => (
          <li key={step} class={isOk ? undefined : "bad"}>
            <strong>
              {step}: {isOk ? "ok" : "broken"}
            </strong>
            <p>{says}</p>
            {details.length > 0 && (
              <details open={!isOk}>
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
    </>
  );
}
