/**
 * Makes the neutral call once, without gates, quota and retries, and judges its answer.
 */
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Adapter, Question, Reply, UpstreamRequest } from '../upstream/adapter.ts';
import { type AnswerTime, answerTimeOf } from '../upstream/answer-time.ts';
import { readErrorBody } from '../upstream/error-body.ts';
import { type Finding, findingOf } from '../upstream/finding.ts';
import type { Transport } from '../upstream/transport.ts';
import type { CheckResult } from './check-result.ts';
import { reasonOf } from './target.ts';

/** An answer, or why there is none. */
export type Outcome = Answered | { readonly reason: string };

export interface Answered {
  readonly reply: Reply;
  readonly finding: Finding;
  readonly time: AnswerTime;
}

/** @param sign adds the credentials */
export async function askNeutrally(
  adapter: Pick<Adapter, 'neutral'>,
  transport: Pick<Transport, 'send'>,
  sign: (request: UpstreamRequest) => UpstreamRequest,
  { clock, timeoutMs }: { readonly clock: Clock; readonly timeoutMs: number },
): Promise<Outcome> {
  const sentAt = clock.now();
  try {
    const reply = await transport.send(sign(adapter.neutral.request), timeoutMs);
    return { reply, finding: findingIn(adapter.neutral, reply), time: answerTimeOf(reply, sentAt, clock.now()) };
  } catch (error) {
    return { reason: reasonOf(error) };
  }
}

function findingIn(neutral: Question<unknown>, reply: Reply): Finding {
  if (reply.status !== 200) {
    return findingOf(neutral.meaningOf({ ...reply, error: readErrorBody(reply.body) }).problem);
  }
  try {
    neutral.parse(reply.body);
    return 'answered';
  } catch (error) {
    if (error instanceof Problem) return findingOf(error);
    throw error;
  }
}

/** Judges what is no answer of the API, though something answered; undefined for a failed connection. */
export function judgeOtherAnswer(reason: string, setting: string): CheckResult | undefined {
  const about = { kind: 'answer', check: 'answer of Constant Contact', state: 'failed' } as const;
  if (reason === 'redirect') {
    const remedy = `correct ${setting}, or see what on the way answers instead (a login page of the network)`;
    return { ...about, found: 'a redirect, which is never followed', remedy };
  }
  // Node's parser (llhttp) has such codes for what is no HTTP.
  if (reason.startsWith('HPE_')) return { ...about, found: `not HTTP (${reason})`, remedy: `correct ${setting}` };
  if (reason === 'too-large') return { ...about, found: 'too large', remedy: `correct ${setting}` };
  return undefined;
}

/** Whether the API itself answered, as far as an answer shows. */
export function judgeAnswer({ reply, finding }: Answered, setting: string): CheckResult {
  const about = { kind: 'answer', check: 'answer of Constant Contact' } as const;
  const found = `HTTP ${reply.status}`;
  switch (finding) {
    case 'gone':
      return { ...about, state: 'failed', found: `${found}: the API is withdrawn`, remedy: 'with v2, move to v3' };
    case 'day':
      return {
        ...about,
        ...{ state: 'warning', found: `${found}: the day's quota is spent` },
        remedy: 'only cached pages are served until 00:00 UTC',
      };
    case 'second':
    case 'limited':
      return { ...about, state: 'warning', found: `${found}: too many calls now`, remedy: 'run this again' };
    case 'failed':
      return { ...about, state: 'failed', found: `${found}, unusable`, remedy: `retry later, or correct ${setting}` };
    case 'answered':
      if (reply.status !== 200) {
        return { ...about, state: 'failed', found: `${found}, not as Constant Contact`, remedy: `correct ${setting}` };
      }
  }
  return { ...about, state: 'ok', found: `${found}; this call counts for the day's quota` };
}
