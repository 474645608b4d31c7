/** What comes in for a Service: as it goes while somebody looks, and node by node. */
import { useRef } from "preact/hooks";
import type { NodeRates } from "#console/traffic.ts";
import { Chart } from "./chart.tsx";
import { hashOf } from "./place.ts";
import { bytes } from "./rate.ts";
import { Table } from "./table.tsx";

/** Ten minutes of looks. */
const MOST_POINTS = 60;
const LEAST_S = 60;

export function TrafficOf({ rates, at }: { readonly rates: readonly NodeRates[]; readonly at: string }) {
  const points = useRef<{ readonly time: number; readonly value: number }[]>([]);
  const time = Date.parse(at) / 1_000;
  const value = rates.reduce((sum, { bytesPerSecond }) => sum + bytesPerSecond, 0);
  // Kept while this view is there, and nowhere else.
  if (points.current.at(-1)?.time !== time)
    points.current = [...points.current, { time, value }].slice(-MOST_POINTS);
  // Of a Service for which nothing comes there is nothing to show, until something has come.
  if (points.current.every((point) => point.value === 0)) return null;
  // A chart of one moment would show years.
  const begin = { time: (points.current[0]?.time ?? time) - LEAST_S, value: null };
  const shown = [begin, ...points.current];
  const caption = "What comes in for it, node by node";
  return (
    <>
      <h2>{caption}</h2>
      <Chart
        kind="line"
        times={shown.map((point) => point.time)}
        values={shown.map((point) => point.value)}
        text={(number) => `${bytes(number)}/s`}
        label={`What has come in since you look: ${bytes(value)} a second now, ${bytes(Math.max(...points.current.map((point) => point.value)))} a second at most`}
      />
      <Table caption={caption}>
        <thead>
          <tr>
            <th scope="col">Node</th>
            {["Bytes/s", "Packets/s", "New connections/min"].map((head) => (
              <th key={head} scope="col" class="number">
                {head}
              </th>
            ))}
          </tr>
        </thead>
        <tbody>
          {rates.map(({ node, bytesPerSecond, packetsPerSecond, connectionsPerMinute }) => (
            <tr key={node}>
              <td>
                <a href={hashOf({ view: "node", name: node, query: {} })}>{node}</a>
              </td>
              <td class="number">{bytes(bytesPerSecond)}</td>
              <td class="number">{packetsPerSecond}</td>
              <td class="number">{connectionsPerMinute}</td>
            </tr>
          ))}
        </tbody>
      </Table>
    </>
  );
}
