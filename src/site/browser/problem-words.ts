/**
 * Problems in words for people: those of the API are for programs.
 */
import { type Problem, SendgateError } from '../../client/client.ts';
import { make } from './page.ts';
import { wasRefused } from './session.ts';

/** Asking again gets the same answer. */
const lasting: ReadonlySet<number> = new Set([400, 401, 404]);

/** What a person can do: try again, go back, or what the words say. */
export function wayOut(error: unknown): 'again' | 'back' | 'none' {
  if (!(error instanceof SendgateError) || !error.problem || !lasting.has(error.status)) return 'again';
  return error.code === 'unauthorized' || error.code === 'invalid-cursor' ? 'none' : 'back';
}

/** Says what happened. Empty where the mistakes say it all. */
export function detailInWords(error: unknown): string {
  if (!(error instanceof SendgateError)) return 'The connection failed or was reset. Data shown may be old.';
  const { problem, code, status } = error;
  if (!problem) {
    const way =
      status >= 500
        ? 'Sendgate may be starting or slow: try again in a moment.'
        : 'If it asks people to sign in, reload the page and sign in again.';
    return `Something in front of Sendgate answered, with status ${status}. ${way}`;
  }
  if (code === 'unauthorized') return unauthorized();
  if (code === 'invalid-cursor') return 'The list has changed since it was opened. Reload the page to start again.';
  if (problem.errors?.length) return '';
  // The countdown says how long to wait.
  return problem.detail.replace(/[^.]*`Retry-After`[^.]*\.\s*/g, '').trim();
}

const unauthorized = () =>
  wasRefused() ? 'This token belongs to no team. Enter another one.' : 'Enter your team’s token.';

type Mistake = NonNullable<Problem['errors']>[number];

const subjects: Readonly<Record<string, string>> = {
  id: 'The id',
  created_since: 'The date',
  link_id: 'The link',
  status: 'The status',
};

/** `The id is not a campaign id. Allowed: 1 to 20 digits.` */
export const mistakeInWords = ({ parameter, problem, allowed }: Mistake) =>
  `${subjects[parameter] ?? parameter} ${problem}. Allowed: ${allowed}.`;

/** Turns what stands between backticks into code. */
export const withCode = (text: string): readonly (string | Node)[] =>
  text.split('`').map((piece, index) => (index % 2 === 1 ? make('code', '', piece) : piece));
