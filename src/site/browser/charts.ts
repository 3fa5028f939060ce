/**
 * Charts in the page's colours and width.
 */
import type uPlot from 'uplot';

/** A separate script tag loads it. */
const Plot = (globalThis as unknown as { readonly uPlot: typeof uPlot }).uPlot;

const height = 160;
/** One line per colour. */
export const maxLines = 5;

export interface Line {
  /** Shown with several lines. */
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Chart {
  /** @param xs seconds since 1970, rising */
  show(xs: readonly number[], lines: readonly Line[]): void;
}

/** Shortest time span shown, and the labels on its axis. */
const spans = {
  bars: { seconds: 24 * 3_600, label: (iso: string) => `${iso.slice(5, 10)} ${iso.slice(11, 16)}` },
  line: { seconds: 60, label: (iso: string) => iso.slice(11, 19) },
} as const;

export function chart(place: HTMLElement, kind: keyof typeof spans, max?: number): Chart {
  const { seconds, label } = spans[kind];
  let plot: uPlot | undefined;
  let data: uPlot.AlignedData = [[]];
  let names: readonly string[] = [];

  const draw = () => {
    plot?.destroy();
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name);
    const axis: uPlot.Axis = {
      stroke: color('--quiet'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { stroke: color('--line'), width: 1 },
    };
    const paths = kind === 'bars' ? Plot.paths.bars?.({ size: [0.9, 40] }) : undefined;
    plot = new Plot(
      {
        width: place.clientWidth || 600,
        height,
        legend: { show: names.length > 1, live: false },
        cursor: { show: false },
        scales: {
          x: {
            range: ({ data: [xs] }) => {
              const [first = 0, last = 0] = [xs[0], xs.at(-1)];
              return [Math.min(first, last - seconds) - seconds / 40, last + seconds / 40];
            },
          },
          y: { range: (_plot, _min, most) => [0, max ?? Math.max(1, most * 1.1)] },
        },
        axes: [
          { ...axis, space: 110, values: (_plot, at) => at.map((time) => label(new Date(time * 1000).toISOString())) },
          axis,
        ],
        series: [
          { label: 'UTC' },
          ...names.map((name, index) => ({
            label: name,
            stroke: color(`--line-${index + 1}`),
            width: 2,
            points: { show: false },
            ...(kind === 'bars' ? { fill: color(`--line-${index + 1}`) } : {}),
            ...(paths ? { paths } : {}),
          })),
        ],
      },
      data,
      place,
    );
  };

  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot && draw());
  new ResizeObserver(() => plot && plot.width !== place.clientWidth && draw()).observe(place);
  return {
    show: (xs, lines) => {
      const before = names.join();
      names = lines.slice(0, maxLines).map(({ name }) => name);
      data = [[...xs], ...lines.slice(0, maxLines).map(({ values }) => [...values])];
      if (plot && names.join() === before) plot.setData(data);
      else draw();
    },
  };
}
