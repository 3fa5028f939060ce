/**
 * One call to Constant Contact, with its span and its part of the metrics. Whatever goes wrong comes back as a value.
 */
import type { Span } from '@opentelemetry/api';
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import { failed, inClientSpan } from '../tracing.ts';
import type { Exchange, Refusal, Reply } from './adapter.ts';
import { retryAfterMs } from './limits.ts';
import { findingOf } from './prober.ts';
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

export type Outcome<T> = { readonly answer: T } | Refusal;

interface Parts {
  readonly transport: Transport;
  readonly clock: Clock;
  readonly observe: CallObserver;
}

/** @param resendCount calls that were made for the same question before */
export async function callOnce<T>(
  { transport, clock, observe }: Parts,
  exchange: Exchange<T>,
  timeoutMs: number,
  resendCount: number,
): Promise<Outcome<T>> {
  const started = clock.monotonic();
  const attributes = resendCount === 0 ? {} : { 'http.request.resend_count': resendCount };
  const { outcome, about } = await inClientSpan('GET', attributes, async (span, headers) => {
    const ended = await send({ transport, clock }, exchange, timeoutMs, span, headers);
    if (!('answer' in ended.outcome)) failed(span, reasonOf(ended.outcome));
    return ended;
  });
  observe('answer' in outcome ? 'ok' : reasonOf(outcome), (clock.monotonic() - started) / 1000, about);
  return outcome;
}

/** @param headers that go with those of the exchange */
async function send<T>(
  { transport, clock }: Pick<Parts, 'transport' | 'clock'>,
  exchange: Exchange<T>,
  timeoutMs: number,
  span: Span,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly outcome: Outcome<T>; readonly about: Failure }> {
  let upstreamRequestId: string | undefined;
  try {
    const request = exchange.request();
    span.setAttributes(transport.describe(request));
    const reply = await transport.send({ ...request, headers: { ...request.headers, ...headers } }, timeoutMs);
    upstreamRequestId = requestIdOf(reply);
    span.setAttribute('http.response.status_code', reply.status);
    if (reply.status === 200) return { outcome: { answer: exchange.parse(reply.body) }, about: {} };
    const refusal = exchange.refusal(reply);
    const waitMs = mayAskToWait(reply, refusal) ? retryAfterMs(reply.headers, clock.now()) : undefined;
    return { outcome: { ...refusal, waitMs }, about: { upstreamRequestId } };
  } catch (error) {
    if (error instanceof Problem) return { outcome: { problem: error, again: 'never' }, about: { upstreamRequestId } };
    if (!(error instanceof ConnectionFailure)) throw error;
    const problem = new Problem('upstream-failed', { reason: 'connection' });
    return { outcome: { problem, again: 'retry' }, about: { code: error.code } };
  }
}

const reasonOf = ({ problem }: Refusal) => problem.reason ?? problem.code;

/** A wait is for a limit, or for a service that is out of order; elsewhere `Retry-After` says nothing to us. */
function mayAskToWait({ status }: Reply, { problem }: Refusal): boolean {
  return status === 429 || status === 503 || ['second', 'day', 'limited'].includes(findingOf(problem));
}

/** The headers whose ids Constant Contact's support asks for; a value that does not look like an id is dropped. */
const requestIds = ['x-amzn-requestid', 'x-eig-tracking-id'] as const;
const requestIdPattern = /^[A-Za-z0-9_.:=/-]{8,128}$/;

function requestIdOf({ headers }: Reply): string | undefined {
  return requestIds.map((name) => headers[name] ?? '').find((id) => requestIdPattern.test(id));
}
