/**
 * Turns headers, numbers and dates into plain words.
 */

/** `12 opens`, `1 open`. @param plural ends with an s */
export const countOf = (count: number, plural: string) =>
  `${number(count)} ${count === 1 ? plural.slice(0, -1) : plural}`;

/** `All 12 opens`, `1 open`. */
export const allOf = (count: number, plural: string) => `${count === 1 ? '' : 'All '}${countOf(count, plural)}`;

/** Stands for an empty value. */
export const unknown = '–';

/** A name or subject without the signs that turn the text after them around; empty if nothing of it can be seen. */
export const readable = (text: string) => (/^[\s\p{C}]*$/u.test(text) ? '' : text.replace(/[\u202d\u202e]/g, ''));

/** Says where a page came from, by `Cache-Status` (RFC 9211) and `Age`. */
export function outcomeInWords(cacheStatus: string, ageSeconds: number): string {
  const ttl = Number(/ttl=(-?\d+)/.exec(cacheStatus)?.[1] ?? 0);
  const asked = `Fetched from Constant Contact ${inWords(ageSeconds)} ago.`;
  if (/; fwd=/.test(cacheStatus)) {
    const collapsed = cacheStatus.includes('collapsed') ? ', by a call shared with other requests' : '';
    return `Fresh from Constant Contact${collapsed}.`;
  }
  if (cacheStatus.includes('stale-if-error')) {
    return `From the cache, as Constant Contact fails at present; this is the last page it gave. ${asked}`;
  }
  if (ttl <= 0) return `From the cache, while a newer page is fetched: reload in a moment. ${asked}`;
  const where = cacheStatus.includes('detail=shared') ? 'the shared cache' : 'the cache';
  return `From ${where}, fresh for another ${inWords(ttl)}. ${asked}`;
}

const units = [
  ['day', 86_400],
  ['hour', 3_600],
  ['minute', 60],
] as const;

/** Formats seconds in their largest unit. */
export function inWords(seconds: number): string {
  for (const [unit, length] of units) {
    if (seconds >= length * 2) return `${Math.round(seconds / length)} ${unit}s`;
  }
  return `${Math.round(seconds)} second${Math.round(seconds) === 1 ? '' : 's'}`;
}

export const number = (value: number) => value.toLocaleString('en');
export const percentInWords = (percent: number) => `${percent.toFixed(1)}%`;
export const percent = (part: number, whole: number) => (whole === 0 ? unknown : percentInWords((100 * part) / whole));

/** Formats a difference, with a minus as long as a plus: `+1,234`, `−2.5`. */
export const signed = (value: number, digits: number) =>
  value
    .toLocaleString('en', { signDisplay: 'exceptZero', minimumFractionDigits: digits, maximumFractionDigits: digits })
    .replace('-', '−');

/** `SENT` as `Sent`. */
export const statusInWords = (status: string) => capital(status.toLowerCase());

export const capital = (text: string) => text.charAt(0).toUpperCase() + text.slice(1);
