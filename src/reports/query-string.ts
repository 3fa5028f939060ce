/**
 * Parses a campaign id and a query string by the parameters of a resource.
 */
import type { CampaignIdRule } from '../model/campaign-ids.ts';
import { noCampaign } from '../model/page-query.ts';
import { type InvalidParameter, Problem } from '../problems.ts';
import type { Parameter, Parameters } from './parameters.ts';

type Values<P extends Parameters> = {
  readonly [N in keyof P]?: NonNullable<P[N]> extends Parameter<infer T> ? T : never;
};

/** Parameter names that Constant Contact's clients use for credentials. */
const credentialPattern = /^(api[-_]?key|(access|auth|refresh)?[-_]?token|authorization|client[-_]?secret)$/i;

/** Names that are safe to echo in a response. */
const echoablePattern = /^[\w.-]{1,40}$/;

/** Mistakes listed in a response: a hostile query can have thousands of parameters. */
const maxErrors = 10;

/**
 * Parses the campaign and the values of `search`, the raw query string without its `?`.
 *
 * @param id of the campaign; undefined for a resource of the account
 * @throws Problem `invalid-request`, which names invalid parameters and never a value
 */
export function parseQueryString<P extends Parameters>(
  id: string | undefined,
  search: string,
  ids: CampaignIdRule,
  parameters: P,
): { readonly campaign: string; readonly values: Values<P> } {
  const errors: InvalidParameter[] = id === undefined ? [] : mistakesOfId('id', id, ids);

  const given = new Map<string, unknown>();
  for (const [name, text] of search === '' ? [] : new URLSearchParams(search)) {
    if (errors.length >= maxErrors) break;
    const error = readParameter(parameters, given, name, text);
    if (error) errors.push(error);
  }
  if (errors.length > 0) throw new Problem('invalid-request', { errors });
  return { campaign: id === undefined ? noCampaign : canonicalId(id), values: Object.fromEntries(given) as Values<P> };
}

/**
 * Parses the id of a campaign that is given as a parameter.
 *
 * @throws Problem `invalid-request`
 */
export function parseCampaignId(parameter: string, id: string, ids: CampaignIdRule): string {
  const errors = mistakesOfId(parameter, id, ids);
  if (errors.length > 0) throw new Problem('invalid-request', { errors });
  return canonicalId(id);
}

const mistakesOfId = (parameter: string, id: string, { pattern, allowed }: CampaignIdRule): InvalidParameter[] =>
  pattern.test(id) ? [] : [{ parameter, problem: 'is not a campaign id', allowed }];

/** Adds the value to `given`, or returns what is wrong with it. */
function readParameter(
  parameters: Parameters,
  given: Map<string, unknown>,
  name: string,
  text: string,
): InvalidParameter | undefined {
  if (credentialPattern.test(name)) {
    const problem = 'is a credential, and Sendgate takes none';
    return { parameter: name, problem, allowed: 'no credentials: omit it, and replace it if it is real' };
  }
  const parameter = Object.hasOwn(parameters, name) ? parameters[name] : undefined;
  if (!parameter) {
    const allowed = Object.keys(parameters).join(', ') || 'none';
    const echoed = echoablePattern.test(name) ? name : '(unprintable)';
    return { parameter: echoed, problem: 'is not a parameter of this resource', allowed };
  }
  if (given.has(name)) return { parameter: name, problem: 'is given more than once', allowed: 'once' };
  const { data, success } = parameter.schema.safeParse(text);
  given.set(name, data);
  return success ? undefined : { parameter: name, problem: parameter.problem(text), allowed: parameter.allowed };
}

/** Canonical form of an id: UUIDs in lower case, numbers without leading zeros. */
const canonicalId = (id: string) => id.toLowerCase().replace(/^0+(?=\d+$)/, '');
