/**
 * Constant Contact's dates, in one spelling.
 */
import type { Reader } from './rows.ts';

/** ISO-8601, date and time; the zone may be missing, and its colon. */
const pattern = /^(\d{4}-\d\d-\d\d)[T ](\d\d:\d\d(?::\d\d(?:\.\d{1,9})?)?)(?:Z|([+-]\d\d):?(\d\d))?$/i;
/** As nearly all dates come. The pattern alone tells that it is a date, in a fifth of the time that reading it takes. */
const canonical = /^\d{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12]\d|3[01])T(?:[01]\d|2[0-3]):[0-5]\d:[0-5]\d\.\d{3}Z$/;
const canonicalLength = 24;

/**
 * A date-time as UTC with milliseconds (`2012-12-06T13:06:14.762Z`). Without a zone it is UTC, never the machine's: both APIs tell
 * their dates in UTC.
 */
export const instant: Reader = (value) => {
  if (typeof value !== 'string') return undefined;
  return canonical.test(value) ? value : toCanonical(value);
};

function toCanonical(text: string): string | undefined {
  const parts = pattern.exec(text);
  if (!parts) return undefined;
  const [, day, time, zoneHour, zoneMinute] = parts;
  const zone = zoneHour === undefined ? 'Z' : `${zoneHour}:${zoneMinute}`;
  const at = Date.parse(`${day}T${time}${zone}`);
  const read = Number.isNaN(at) ? '' : new Date(at).toISOString();
  // An offset can carry the first and the last day out of the years that have four digits.
  return read.length === canonicalLength ? read : undefined;
}
