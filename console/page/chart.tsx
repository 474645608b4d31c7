/** Values over time, as bars or as a line. What it shows is said by `label`, too. */
import { useEffect, useRef } from "preact/hooks";
import UPlot from "uplot";

const HEIGHT = 160;
/** For the widest text of the values' axis. */
const AXIS_WIDTH = 80;
const WHOLE = [1, 2, 5, 10, 20, 50, 100, 200, 500, 1_000, 2_000, 5_000, 10_000];

export interface ChartProps {
  readonly kind: "bars" | "line";
  /** Seconds since 1970, the oldest first. */
  readonly times: readonly number[];
  /** null: nothing is known of then. */
  readonly values: readonly (number | null)[];
  /** What the chart shows, for those who do not see it. */
  readonly label: string;
  /** A value on the axis; as it is if nothing is said. */
  readonly text?: (value: number) => string;
}

export function Chart({ kind, times, values, label, text }: ChartProps) {
  const place = useRef<HTMLDivElement>(null);
  const chart = useRef<UPlot | undefined>(undefined);
  const data: UPlot.AlignedData = [[...times], [...values]];
  useEffect(() => {
    const element = place.current;
    if (element === null) return;
    // Read once: a change of the colour scheme shows with the next visit of this view.
    const style = getComputedStyle(element);
    const [ink, mark, grid] = ["--ink", "--accent", "--line"].map((name) => style.getPropertyValue(name));
    const axis = { stroke: ink ?? "", grid: { stroke: grid ?? "" }, ticks: { stroke: grid ?? "" } };
    const paths = kind === "bars" ? UPlot.paths.bars?.({ size: [0.8] }) : UPlot.paths.linear?.();
    if (paths === undefined) return;
    const made = new UPlot(
      {
        width: element.clientWidth,
        height: HEIGHT,
        legend: { show: false },
        cursor: { show: false },
        scales: { y: { range: (_, _min, max) => [0, Math.max(1, max)] } },
        axes: [
          axis,
          text === undefined
            ? { ...axis, incrs: WHOLE }
            : { ...axis, size: AXIS_WIDTH, values: (_, splits) => splits.map(text) },
        ],
        series: [
          {},
          kind === "bars"
            ? { fill: mark ?? "", paths, points: { show: false } }
            : { stroke: mark ?? "", width: 2, paths },
        ],
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
  useEffect(() => chart.current?.setData(data), [times.length, times.at(-1)]);
  return <div ref={place} class="chart" role="img" aria-label={label} />;
}
