/**
 * One call to Constant Contact, with its span and its part of the metrics. Whatever goes wrong comes back as a value.
 */
import type { Span } from '@opentelemetry/api';
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Quota } from '../quota/quota.ts';
import { failed, inClientSpan } from '../tracing.ts';
import type { ErrorMeaning, Question, Reply } from './adapter.ts';
import type { Credentials } from './credentials.ts';
import { readErrorBody } from './error-body.ts';
import { findingOf, isLimit } from './finding.ts';
import { retryAfterMs } from './limits.ts';
import { ConnectionFailure, type Transport } from './transport.ts';

/** Details of a failed call, for its log line. */
interface Failure {
  /** Node's code of a connection failure. */
  readonly code?: string;
  /** Constant Contact's support finds the call by it. */
  readonly upstreamRequestId?: string | undefined;
}

/** What came of one call: `ok`, or the reason of its failure, out of a closed set. */
export type CallObserver = (outcome: string, seconds: number, about: Failure) => void;

export type CallOutcome<T> = { readonly answer: T } | ErrorMeaning;

export interface CallParts {
  readonly transport: Pick<Transport, 'send' | 'describe'>;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly observe: CallObserver;
}

/** A permit to make one call, as the quota grants it. */
type Permit = Awaited<ReturnType<Quota['take']>>;

interface CallOptions {
  readonly timeoutMs: number;
  /** Calls that were made for the same question before. */
  readonly resendCount: number;
  readonly isNeutral: boolean;
}

/**
 * Makes the call for which a permit was granted, and ends the permit, whatever comes of it.
 *
 * @param prepare called at once: a question may be added to until then
 */
export async function callWith<T>(
  permit: Permit,
  parts: CallParts,
  prepare: () => Question<T>,
  options: CallOptions,
): Promise<CallOutcome<T>> {
  let isPage = false;
  try {
    const outcome = await callOnce(parts, prepare(), options);
    // What is refused, or neutral, is answered faster than a page.
    isPage = 'answer' in outcome && !options.isNeutral;
    return outcome;
  } finally {
    permit.done(isPage);
  }
}

async function callOnce<T>(parts: CallParts, question: Question<T>, options: CallOptions): Promise<CallOutcome<T>> {
  const { clock, observe } = parts;
  const { resendCount } = options;
  const started = clock.monotonic();
  const attributes = resendCount === 0 ? {} : { 'http.request.resend_count': resendCount };
  const { outcome, about } = await inClientSpan('GET', attributes, async (span, headers) => {
    const ended = await send(parts, question, options, span, headers);
    if (!('answer' in ended.outcome)) failed(span, reasonOf(ended.outcome));
    return ended;
  });
  observe('answer' in outcome ? 'ok' : reasonOf(outcome), (clock.monotonic() - started) / 1000, about);
  return outcome;
}

/** @param traceHeaders that go with those of the request */
async function send<T>(
  { transport, credentials, clock }: CallParts,
  question: Question<T>,
  { timeoutMs, isNeutral }: CallOptions,
  span: Span,
  traceHeaders: Readonly<Record<string, string>>,
): Promise<{ readonly outcome: CallOutcome<T>; readonly about: Failure }> {
  let upstreamRequestId: string | undefined;
  try {
    const signed = credentials.sign(question.request);
    const { request } = signed;
    span.setAttributes(transport.describe(request));
    const reply = await transport.send({ ...request, headers: { ...request.headers, ...traceHeaders } }, timeoutMs);
    upstreamRequestId = requestIdOf(reply);
    span.setAttribute('http.response.status_code', reply.status);
    if (reply.status === 200) return { outcome: { answer: question.parse(reply.body) }, about: {} };
    if (reply.status === 401) signed.refused(isNeutral);
    const meaning = question.meaningOf({ ...reply, error: readErrorBody(reply.body) });
    const waitMs = mayAskToWait(reply, meaning) ? retryAfterMs(reply.headers, clock.now()) : undefined;
    return { outcome: { ...meaning, waitMs }, about: { upstreamRequestId } };
  } catch (error) {
    if (error instanceof Problem) return { outcome: { problem: error, again: 'never' }, about: { upstreamRequestId } };
    if (!(error instanceof ConnectionFailure)) throw error;
    const problem = new Problem('upstream-failed', { reason: 'connection' });
    return { outcome: { problem, again: 'retry' }, about: { code: error.code } };
  }
}

const reasonOf = ({ problem }: ErrorMeaning) => problem.reason ?? problem.code;

/** A wait is for a limit, or for a service that is out of order; elsewhere `Retry-After` says nothing to us. */
function mayAskToWait({ status }: Reply, { problem }: ErrorMeaning): boolean {
  return status === 429 || status === 503 || isLimit(findingOf(problem));
}

/** The headers whose ids Constant Contact's support asks for; a value that does not look like an id is dropped. */
const requestIds = ['x-amzn-requestid', 'x-eig-tracking-id'] as const;
const requestIdPattern = /^[A-Za-z0-9_.:=/-]{8,128}$/;

function requestIdOf({ headers }: Reply): string | undefined {
  return requestIds.map((name) => headers[name] ?? '').find((id) => requestIdPattern.test(id));
}
