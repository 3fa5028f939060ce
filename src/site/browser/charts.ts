/**
 * Charts in the page's colours and width.
 */
import type uPlot from 'uplot';
import { isUtc, onZoneChange, type Precision, timeInWords, zoneInWords } from './times.ts';

/** A separate script tag loads it. */
const Plot = (globalThis as unknown as { readonly uPlot: typeof uPlot }).uPlot;

const height = 160;
const font = '12px system-ui, sans-serif';
/** Between a label and its axis, in uPlot. */
const tickAndGap = 15;
/** One line per colour. */
export const maxLines = 5;

export interface Line {
  /** Shown with several lines. */
  readonly name: string;
  readonly values: readonly (number | null)[];
}

export interface Chart {
  /** @param xs seconds since 1970, rising */
  show(xs: readonly number[], lines: readonly Line[], kind?: Kind): void;
}

/** How a chart is drawn: shortest time span shown, space around it, and the labels on its axis. */
const kinds = {
  days: { isBars: true, seconds: 14 * 86_400, margin: 86_400, precision: 'day' },
  hours: { isBars: true, seconds: 24 * 3_600, margin: 3_600, precision: 'hour' },
  lines: { isBars: false, seconds: 60, margin: 1.5, precision: 'time' },
} as const satisfies Readonly<Record<string, { readonly precision: Precision; readonly [more: string]: unknown }>>;
type Kind = keyof typeof kinds;

const labelOf = (ms: number, precision: Precision) => timeInWords(new Date(ms).toISOString(), precision);

const ruler = document.createElement('canvas').getContext('2d');

/** Returns the width of a label on an axis. */
function widthOf(text: string): number {
  if (!ruler) return 0;
  ruler.font = font;
  return Math.ceil(ruler.measureText(text).width);
}

/** Returns the width of the widest label: names of months differ. */
const widestLabel = (precision: Precision) =>
  Math.max(...Array.from({ length: 12 }, (_, month) => widthOf(labelOf(Date.UTC(2026, month, 28, 20), precision))));

interface ChartOptions {
  /** Top of the scale. By default it follows the values. */
  readonly max?: number;
  /** Called with the index of the x under the pointer; undefined when it leaves. */
  readonly onPoint?: (index: number | undefined) => void;
}

export function chart(place: HTMLElement, { max, onPoint }: ChartOptions = {}): Chart {
  let kind: Kind = 'lines';
  let plot: uPlot | undefined;
  let data: uPlot.AlignedData = [[]];
  let names: readonly string[] = [];

  const draw = () => {
    plot?.destroy();
    const { isBars, seconds, margin, precision } = kinds[kind];
    const style = getComputedStyle(document.documentElement);
    const color = (name: string) => style.getPropertyValue(name);
    // The first and the last label on the axis of time stand half outside.
    const labelWidth = widestLabel(precision);
    const half = Math.ceil(labelWidth / 2) + 2;
    const axis: uPlot.Axis = {
      font,
      stroke: color('--quiet'),
      grid: { stroke: color('--line'), width: 1 },
      ticks: { stroke: color('--line'), width: 1 },
    };
    const paths = isBars ? Plot.paths.bars?.({ size: [0.8, 40] }) : undefined;
    plot = new Plot(
      {
        width: place.clientWidth || 600,
        height,
        padding: [8, half, 0, 0],
        legend: { show: names.length > 1, live: false },
        cursor: onPoint
          ? { y: false, points: { show: false }, drag: { x: false, y: false, setScale: false } }
          : { show: false },
        hooks: onPoint ? { setCursor: [({ cursor: { idx } }) => onPoint(idx ?? undefined)] } : {},
        tzDate: (at) => (isUtc() ? Plot.tzDate(new Date(at * 1000), 'Etc/UTC') : new Date(at * 1000)),
        scales: {
          x: {
            range: ({ data: [xs] }) => {
              const [first = 0, last = 0] = [xs[0], xs.at(-1)];
              return [Math.min(first, last - seconds) - margin, last + margin];
            },
          },
          y: { range: (_plot, _min, most) => [0, max ?? Math.max(1, most * 1.1)] },
        },
        axes: [
          {
            ...axis,
            size: 36,
            space: labelWidth + 36,
            values: (_plot, at) => at.map((time) => labelOf(time * 1000, precision)),
          },
          { ...axis, size: (_plot, labels) => Math.max(half, ...(labels ?? []).map(widthOf)) + tickAndGap },
        ],
        series: [
          { label: zoneInWords() },
          ...names.map((name, index) => ({
            label: name,
            stroke: color(`--line-${index + 1}`),
            width: 2,
            points: { show: false },
            ...(isBars ? { fill: color(`--line-${index + 1}`) } : {}),
            ...(paths ? { paths } : {}),
          })),
        ],
      },
      data,
      place,
    );
  };

  onZoneChange(() => plot && draw());
  matchMedia('(prefers-color-scheme: dark)').addEventListener('change', () => plot && draw());
  new ResizeObserver(() => plot && plot.width !== place.clientWidth && draw()).observe(place);
  return {
    show: (xs, lines, asked = 'lines') => {
      const before = [kind, ...names].join();
      kind = asked;
      names = lines.slice(0, maxLines).map(({ name }) => name);
      data = [[...xs], ...lines.slice(0, maxLines).map(({ values }) => [...values])];
      if (plot && [kind, ...names].join() === before) plot.setData(data);
      else draw();
    },
  };
}
