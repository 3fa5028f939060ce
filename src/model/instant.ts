/**
 * ISO-8601 in, one canonical spelling out.
 */
import { z } from 'zod';

const pattern =
  /^(?<day>\d{4}-\d\d-\d\d)(?:[Tt](?<hour>\d\d):(?<minute>\d\d)(?::(?<second>\d\d)(?:[.,](?<fraction>\d{1,9}))?)?(?<zone>[Zz]|(?<sign>[+ -])(?<zoneHour>\d\d)(?::?(?<zoneMinute>\d\d))?))?$/;

/** A parameter that names an instant. */
export const instantSchema = z
  .string()
  .refine((text) => parseInstant(text) !== undefined)
  .meta({ anyOf: [{ format: 'date' }, { format: 'date-time' }] });

/**
 * The instant that `text` names, as UTC with milliseconds (`2012-12-06T13:06:14.762Z`), or undefined when it names
 * none: a day that is not in the calendar, an hour past 23, a date-time without Z or offset.
 *
 * A date alone is its midnight in UTC. Digits past the millisecond are cut off. A `+` that arrived as a space, as it
 * does in a query string that was not encoded, is a `+`.
 */
export function parseInstant(text: string): string | undefined {
  const parts = pattern.exec(text)?.groups;
  if (parts?.['day'] === undefined) return undefined;

  const at = Date.parse(`${parts['day']}T00:00:00.000Z`);
  // Date.parse takes 30 February for 1 March on some days and NaN on others: then the day of the month is another one.
  if (new Date(at).getUTCDate() !== Number(parts['day'].slice(-2))) return undefined;

  const number = (name: string) => Number(parts[name] ?? 0);
  if (number('hour') > 23 || number('minute') > 59 || number('second') > 59) return undefined;
  if (number('zoneHour') > 23 || number('zoneMinute') > 59) return undefined;

  const milliseconds = Number((parts['fraction'] ?? '').padEnd(3, '0').slice(0, 3));
  const offsetMinutes = (number('zoneHour') * 60 + number('zoneMinute')) * (parts['sign'] === '-' ? -1 : 1);
  const minutes = number('hour') * 60 + number('minute') - offsetMinutes;
  const instant = new Date(at + minutes * 60_000 + number('second') * 1000 + milliseconds).toISOString();
  // An offset can carry the first and the last day out of the years that have four digits.
  return instant.length === 24 ? instant : undefined;
}

/** The same, where a date-time without Z or offset is in UTC. */
export function parseInstantInUtc(text: string): string | undefined {
  return parseInstant(text) ?? parseInstant(`${text}Z`);
}

/** Whether the time zone is all that a text lacks to name an instant. */
export function lacksZone(text: string): boolean {
  return parseInstant(text) === undefined && parseInstant(`${text}Z`) !== undefined;
}
