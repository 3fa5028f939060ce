/**
 * Turns numbers and texts of the API into plain words.
 */

/** `12 opens`, `1 open`. @param plural ends with an s */
export const countOf = (count: number, plural: string) =>
  `${number(count)} ${count === 1 ? plural.slice(0, -1) : plural}`;

/** `All 12 opens`, `1 open`. */
export const allOf = (count: number, plural: string) => `${count === 1 ? '' : 'All '}${countOf(count, plural)}`;

/** Stands for an empty value. */
export const unknown = '–';

/** A name or subject without the signs that turn the text after them around; empty if nothing of it can be seen. */
export const readable = (text: string) =>
  /^[\s\p{Cc}\p{Cf}]*$/u.test(text) ? '' : text.replace(/[\u202d\u202e]/g, '');

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
