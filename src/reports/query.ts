/**
 * What a caller asks for, parsed and made canonical: two spellings of one question become one value.
 */
import { z } from 'zod';
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { cursorPattern } from '../model/cursor.ts';
import { instantSchema, lacksZone, parseInstantInUtc } from '../model/instant.ts';
import { type FirstPage, type PageQuery, pageBehind } from '../model/page-query.ts';
import type { Report } from '../model/report.ts';
import { type InvalidParameter, Problem } from '../problems.ts';

export const maxLimit = 500;

/** A parameter: the schema that it has to pass, which also describes it, and what is said of a text that did not pass. */
interface Parameter<T> {
  readonly schema: z.ZodType<T, string>;
  readonly problem: (text: string) => string;
  readonly allowed: string;
}

const createdSince: Parameter<string> = {
  schema: instantSchema.meta({
    description:
      'Only rows on or after this instant. A date alone is its midnight in UTC; a date-time has `Z` or an offset.',
    examples: ['2012-12-06T13:06:14.762Z'],
  }),
  problem: (text) => (lacksZone(text) ? 'has no time zone' : 'is not a date or date-time'),
  allowed: 'an ISO-8601 date, or a date-time with Z or an offset, such as 2012-12-06T13:06:14.762Z',
};

const limit: Parameter<number> = {
  schema: z
    .string()
    .regex(/^\d{1,6}$/)
    .transform(Number)
    .pipe(z.int().min(1).max(maxLimit))
    .meta({ description: 'Rows a page. A cursor carries its own.', default: maxLimit }),
  problem: () => 'is out of range',
  allowed: `an integer from 1 to ${maxLimit}`,
};

const next: Parameter<string> = {
  schema: z
    .string()
    .regex(cursorPattern)
    .meta({ description: 'The cursor out of a `next_link`; opaque.', examples: ['c3RhcnRBdD0zJmxpbWl0PTI'] }),
  problem: () => 'is not a cursor',
  allowed: 'the cursor out of a next_link: 1 to 2,048 printable ASCII characters',
};

/** The parameters of the resources, by name. */
export const pageParameters = { created_since: createdSince, limit, next } as const;
export const exportParameters = { created_since: createdSince } as const;
export const summaryParameters = {} as const;

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
export function parseReportQuery(
  report: Report,
  id: string,
  search: string,
  ids: CampaignIdRule,
  parameters: typeof pageParameters = pageParameters,
): PageQuery {
  const { campaign, values } = parse(id, search, ids, parameters);
  const walk = { report: report.name, campaign, createdSince: canonical(values.created_since) } as const;
  if (values.next !== undefined) return pageBehind(walk, values.next);
  return { kind: 'first', ...walk, limit: values.limit ?? maxLimit };
}

/** The first page of a whole report. */
export function parseExportQuery(report: Report, id: string, search: string, ids: CampaignIdRule): FirstPage {
  const { campaign, values } = parse(id, search, ids, exportParameters);
  return {
    kind: 'first',
    report: report.name,
    campaign,
    createdSince: canonical(values.created_since),
    limit: maxLimit,
  };
}

/** The same of what takes no parameters. */
export function parseCampaign(id: string, search: string, ids: CampaignIdRule): string {
  return parse(id, search, ids, summaryParameters).campaign;
}

type Parameters = Readonly<Record<string, Parameter<unknown>>>;
type Values<P extends Parameters> = { readonly [N in keyof P]?: P[N] extends Parameter<infer T> ? T : never };

function parse<P extends Parameters>(id: string, search: string, ids: CampaignIdRule, parameters: P) {
  const errors: InvalidParameter[] = [];
  const refuse = (parameter: string, problem: string, allowed: string) => {
    errors.push({ parameter, problem, allowed });
  };

  if (!ids.pattern.test(id)) refuse('id', 'is not a campaign id', ids.allowed);

  const given: string[] = [];
  const values: Record<string, unknown> = {};
  for (const [name, text] of search === '' ? [] : new URLSearchParams(search)) {
    if (errors.length >= maxErrors) break;
    const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
    if (credentialPattern.test(name)) {
      refuse(
        name,
        'is a credential, and Sendgate takes none',
        'no credentials: leave it out, and replace it if it is real',
      );
    } else if (!parameter) {
      const allowed = Object.keys(parameters).join(', ') || 'none';
      refuse(echoablePattern.test(name) ? name : '(unprintable)', 'is not a parameter of this resource', allowed);
    } else if (given.includes(name)) {
      refuse(name, 'is given more than once', 'once');
    } else {
      given.push(name);
      const { data, success } = parameter.schema.safeParse(text);
      if (success) values[name] = data;
      else refuse(name, parameter.problem(text), parameter.allowed);
    }
  }
  if (errors.length > 0) throw new Problem('invalid-request', { errors });
  return { campaign: canonicalId(id), values: values as Values<P> };
}

/** Of a text that has passed its schema: where none may be without a zone, none is. */
const canonical = (instant: string | undefined) => (instant === undefined ? undefined : parseInstantInUtc(instant));

/** The hex digits of a UUID mean the same in both cases, and a number with zeros in front is the same number. */
const canonicalId = (id: string) => id.toLowerCase().replace(/^0+(?=\d+$)/, '');
