/**
 * Instants in words, in local time or in UTC.
 */
import { make } from './page.ts';
import { unknown } from './words.ts';

export type Zone = 'local' | 'utc';

let zone: Zone = 'local';
const listeners: (() => void)[] = [];

const clock = { hour: '2-digit', minute: '2-digit', hourCycle: 'h23' } as const;
const day = { day: 'numeric', month: 'short' } as const;
const formats = {
  /** `4 Mar 2026` */
  day: { ...day, year: 'numeric' },
  /** `4 Mar 2026, 05:06` */
  minute: { ...day, year: 'numeric', ...clock },
  /** `4 Mar 2026, 05:06:07` */
  second: { ...day, year: 'numeric', ...clock, second: '2-digit' },
  /** `4 Mar, 05:00` */
  hour: { ...day, ...clock },
  /** `05:06` */
  clock,
  /** `05:06:07` */
  time: { ...clock, second: '2-digit' },
} as const satisfies Readonly<Record<string, Intl.DateTimeFormatOptions>>;
export type Precision = keyof typeof formats;

const formatters = new Map<string, Intl.DateTimeFormat>();

function formatter(precision: Precision, which: Zone): Intl.DateTimeFormat {
  const key = `${precision} ${which}`;
  const known = formatters.get(key);
  if (known) return known;
  // The page is in English; the order of day and month is that of most countries, and the month is a word.
  const made = new Intl.DateTimeFormat('en-GB', {
    ...formats[precision],
    ...(which === 'utc' ? { timeZone: 'UTC' } : {}),
  });
  formatters.set(key, made);
  return made;
}

const other = { local: 'utc', utc: 'local' } as const;
const names = { local: 'local time', utc: 'UTC' } as const;

function inZone(iso: string, precision: Precision, which: Zone): string {
  const at = Date.parse(iso);
  return Number.isNaN(at) ? unknown : formatter(precision, which).format(at);
}

/** Formats an instant in the chosen zone. */
export const timeInWords = (iso: string, precision: Precision) => inZone(iso, precision, zone);

/** `local time` or `UTC` */
export const zoneInWords = () => names[zone];

export const isUtc = () => zone === 'utc';

/** Formats the time of an instant, with the day unless it is today's: `05:06 local time`. */
export function momentInWords(iso: string, nowMs: number): string {
  const isToday = startOfDay(Date.parse(iso)) === startOfDay(nowMs);
  return `${timeInWords(iso, isToday ? 'clock' : 'minute')} ${zoneInWords()}`;
}

/** Makes an instant that follows the switch; its tooltip is the instant in the other zone. */
export function timeElement(iso: string, precision: Precision): HTMLElement {
  const time = make('time', '');
  time.dateTime = iso;
  time.dataset['precision'] = precision;
  write(time);
  return time;
}

/** Makes the name of the zone, which follows the switch. */
export function zoneElement(): HTMLElement {
  const element = make('span', 'zone');
  element.textContent = zoneInWords();
  return element;
}

function write(time: HTMLTimeElement): void {
  const precision = time.dataset['precision'] as Precision;
  time.textContent = timeInWords(time.dateTime, precision);
  const inOther = inZone(time.dateTime, 'second', other[zone]);
  if (inOther !== unknown) time.title = `${inOther} ${names[other[zone]]}`;
}

/** Writes the instants in `place` anew. */
export function rewriteTimes(place: ParentNode): void {
  for (const time of place.querySelectorAll<HTMLTimeElement>('time[data-precision]')) write(time);
  for (const element of place.querySelectorAll('.zone')) element.textContent = zoneInWords();
}

export function chooseZone(chosen: Zone): void {
  zone = chosen;
  for (const listener of listeners) listener();
}

export function onZoneChange(listener: () => void): void {
  listeners.push(listener);
}

const secondsOfHour = (at: Date) => at.getMinutes() * 60 + at.getSeconds();

/** Returns the start of the hour of an instant, both in milliseconds. */
export function startOfHour(ms: number): number {
  const whole = ms - (ms % 1_000);
  // Some zones are half an hour off.
  return zone === 'utc' ? whole - (whole % 3_600_000) : whole - secondsOfHour(new Date(whole)) * 1_000;
}

/** Returns the start of the day of an instant, both in milliseconds. */
export const startOfDay = (ms: number) =>
  zone === 'utc' ? new Date(ms).setUTCHours(0, 0, 0, 0) : new Date(ms).setHours(0, 0, 0, 0);

/** The start of a day that a person chose: `2026-03-04` as it is in UTC, else an instant. */
export function startOfChosenDay(chosen: string): string {
  const local = new Date(`${chosen}T00:00`);
  if (zone === 'utc' || Number.isNaN(local.getTime())) return chosen;
  const iso = local.toISOString();
  return iso.endsWith('T00:00:00.000Z') ? iso.slice(0, 10) : iso;
}

/** The day of an instant, for a field: `2026-03-04`. Empty if it is none. */
export function chosenDay(iso: string): string {
  const at = new Date(iso);
  if (Number.isNaN(at.getTime())) return '';
  const shift = zone === 'utc' ? 0 : at.getTimezoneOffset() * 60_000;
  return new Date(at.getTime() - shift).toISOString().slice(0, 10);
}
