/** Moves in each minute of the last hour, as bars. The list below has the same as text. */
import { useEffect, useRef } from "preact/hooks";
import UPlot from "uplot";

const HEIGHT = 160;

/** `minutes`: how many in each, the oldest first; the last one ends at `at`. */
export function Chart({ at, minutes }: { readonly at: string; readonly minutes: readonly number[] }) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  const end = Math.floor(Date.parse(at) / 60_000);
  const times = minutes.map((_, index) => (end - minutes.length + 1 + index) * 60);
  const data: UPlot.AlignedData = [times, [...minutes]];
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    // Read once: a change of the colour scheme shows with the next visit of this view.
    const style = getComputedStyle(element);
    const [ink, bar, grid] = ["--ink", "--accent", "--line"].map((name) => style.getPropertyValue(name));
    const axis = { stroke: ink ?? "", grid: { stroke: grid ?? "" }, ticks: { stroke: grid ?? "" } };
    const bars = UPlot.paths.bars?.({ size: [0.8] });
    if (bars === undefined) return;
    const made = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, _min, max) => [0, Math.max(1, max)] } },
        axes: [axis, { ...axis, incrs: [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000] }],
        series: [{}, { fill: bar ?? "", paths: bars, points: { show: false } }],
      },
      data,
      element,
    );
    chart.current = made;
    const observer = new ResizeObserver(() => made.setSize({ width: element.clientWidth, height: HEIGHT }));
    observer.observe(element);
    return () => {
      observer.disconnect();
      made.destroy();
    };
  }, []);
  useEffect(() => chart.current?.setData(data), [at]);
  const all = minutes.reduce((sum, count) => sum + count, 0);
  return (
    <div
      ref={place}
      class="chart"
      role="img"
      aria-label={`Addresses that came to a node in the last ${minutes.length} minutes: ${all}`}
    />
  );
}
