/**
 * Parses ISO-8601 into one canonical spelling.
 */
import { z } from 'zod';

const pattern =
  /^(?<day>\d{4}-\d\d-\d\d)(?:[Tt](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?<zone>[Zz]|(?<sign>[+ -])(?<zoneHour>\d\d)(?::?(?<zoneMinute>\d\d))?))?$/;

/** Schema of a parameter that is an instant. */
export const instantSchema = z
  .string()
  .refine((text) => parseInstant(text) !== undefined)
  .meta({ anyOf: [{ format: 'date' }, { format: 'date-time' }] });

/**
 * Parses an instant to UTC with milliseconds (`2012-12-06T13:06:14.762Z`). Undefined for a day not in the calendar, an hour
 * past 23, or a date-time without Z or offset.
 *
 * A date alone is midnight UTC. Digits beyond milliseconds are cut off. A space in place of the sign is a `+` from an
 * unencoded query string.
 */
export function parseInstant(text: string): string | undefined {
  const parts = pattern.exec(text)?.groups;
  if (parts?.['day'] === undefined) return undefined;

  const at = Date.parse(`${parts['day']}T00:00:00.000Z`);
  // Date.parse reads 30 February as 1 March or as NaN: the day of the month then differs.
  if (new Date(at).getUTCDate() !== Number(parts['day'].slice(-2))) return undefined;

  const number = (name: string) => Number(parts[name] ?? 0);
  if (number('hour') > 23 || number('minute') > 59 || number('second') > 59) return undefined;
  if (number('zoneHour') > 23 || number('zoneMinute') > 59) return undefined;

  const milliseconds = Number((parts['fraction'] ?? '').padEnd(3, '0').slice(0, 3));
  const offsetMinutes = (number('zoneHour') * 60 + number('zoneMinute')) * (parts['sign'] === '-' ? -1 : 1);
  const minutes = number('hour') * 60 + number('minute') - offsetMinutes;
  const instant = new Date(at + minutes * 60_000 + number('second') * 1000 + milliseconds).toISOString();
  // An offset can push the first and last day beyond four-digit years.
  return instant.length === 24 ? instant : undefined;
}

/** Like `parseInstant`, but reads a date-time without Z or offset as UTC. */
export function parseInstantInUtc(text: string): string | undefined {
  return parseInstant(text) ?? parseInstant(`${text}Z`);
}

/** Whether a text is an instant that lacks only its time zone. */
export function lacksZone(text: string): boolean {
  return parseInstant(text) === undefined && parseInstant(`${text}Z`) !== undefined;
}
