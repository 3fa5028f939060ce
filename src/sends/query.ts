/**
 * What a caller asks for, parsed and made canonical: two spellings of one question become one value.
 */
import { type InvalidParameter, Problem } from '../problems.ts';
import { type CampaignIdRule, cursorPattern, type PageQuery } from '../upstream/dialect.ts';
import { parseInstant } from './instant.ts';

export const maxLimit = 500;

/** A question that is valid and canonical. */
export type SendsQuery = PageQuery;

const allowed = {
  created_since: 'an ISO-8601 date, or a date-time with Z or an offset, such as 2012-12-06T13:06:14.762Z',
  limit: `an integer from 1 to ${maxLimit}`,
  next: 'the cursor out of a next_link: 1 to 2,048 printable ASCII characters',
} as const;

const parameters = 'created_since, limit, next';

/** Names under which clients of Constant Contact send credentials. */
const credentialPattern = /^(api[-_]?key|(access|auth|refresh)?[-_]?token|authorization|client[-_]?secret)$/i;

/** Names that can be repeated in an answer without carrying anything else into it. */
const echoablePattern = /^[\w.-]{1,40}$/;

/** A hostile query may hold thousands of parameters; this many of its mistakes are told. */
const maxErrors = 10;

/**
 * Parses `search`, the raw query string without its `?`.
 *
 * @throws Problem `invalid-request` that names every parameter at fault and never a value
 */
export function parseSendsQuery(campaign: string, search: string, ids: CampaignIdRule): SendsQuery {
  const errors: InvalidParameter[] = [];
  const refuse = (parameter: string, problem: string, allowed: string) => {
    errors.push({ parameter, problem, allowed });
  };

  if (!ids.pattern.test(campaign)) refuse('id', 'is not a campaign id', ids.allowed);

  const given = new Map<string, string>();
  for (const [name, value] of search === '' ? [] : new URLSearchParams(search)) {
    if (errors.length >= maxErrors) break;
    if (credentialPattern.test(name)) {
      refuse(
        name,
        'is a credential, and Sendgate takes none',
        'no credentials: leave it out, and replace it if it is real',
      );
    } else if (!Object.hasOwn(allowed, name)) {
      refuse(echoablePattern.test(name) ? name : '(unprintable)', 'is not a parameter of this resource', parameters);
    } else if (given.has(name)) {
      refuse(name, 'is given more than once', 'once');
    } else {
      given.set(name, value);
    }
  }

  const since = given.get('created_since');
  const createdSince = since === undefined ? undefined : parseInstant(since);
  if (since !== undefined && createdSince === undefined) {
    refuse('created_since', 'is not a date or date-time', allowed.created_since);
  }

  const limitText = given.get('limit');
  const limit = limitText === undefined ? maxLimit : /^\d{1,6}$/.test(limitText) ? Number(limitText) : 0;
  if (limit < 1 || limit > maxLimit) refuse('limit', 'is out of range', allowed.limit);

  const cursor = given.get('next');
  if (cursor !== undefined && !cursorPattern.test(cursor)) refuse('next', 'is not a cursor', allowed.next);

  if (errors.length > 0) throw new Problem('invalid-request', { errors });
  return { campaign: canonicalId(campaign), createdSince, limit, cursor };
}

/** The hex digits of a UUID mean the same in both cases, and a number with zeros in front is the same number. */
const canonicalId = (id: string) => id.toLowerCase().replace(/^0+(?=\d+$)/, '');
