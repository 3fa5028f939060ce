/**
 * One call to Constant Contact, with its span and its part of the metrics. Whatever goes wrong comes back as a value.
 */
import type { Span } from '@opentelemetry/api';
import type { Clock } from '../clock.ts';
import { Problem } from '../problems.ts';
import { failed, inClientSpan } from '../tracing.ts';
import type { Exchange, Refusal } from './dialect.ts';
import { ConnectionFailure, type Transport } from './transport.ts';

/** What came of one call: `ok`, or the reason of its failure, out of a closed set; and Node's code, of a connection. */
export type CallObserver = (outcome: string, seconds: number, code: string | undefined) => void;

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
  const { outcome, code } = await inClientSpan('GET', attributes, async (span, headers) => {
    const ended = await send(transport, exchange, timeoutMs, span, headers);
    if (!('answer' in ended.outcome)) failed(span, reasonOf(ended.outcome));
    return ended;
  });
  observe('answer' in outcome ? 'ok' : reasonOf(outcome), (clock.monotonic() - started) / 1000, code);
  return outcome;
}

/** @param headers that go with those of the exchange */
async function send<T>(
  transport: Transport,
  exchange: Exchange<T>,
  timeoutMs: number,
  span: Span,
  headers: Readonly<Record<string, string>>,
): Promise<{ readonly outcome: Outcome<T>; readonly code?: string }> {
  try {
    const request = exchange.request();
    span.setAttributes(transport.describe(request));
    const reply = await transport.send({ ...request, headers: { ...request.headers, ...headers } }, timeoutMs);
    span.setAttribute('http.response.status_code', reply.status);
    if (reply.status !== 200) return { outcome: exchange.refusal(reply) };
    return { outcome: { answer: exchange.parse(reply.body) } };
  } catch (error) {
    if (error instanceof Problem) return { outcome: { problem: error, again: 'never' } };
    if (!(error instanceof ConnectionFailure)) throw error;
    const problem = new Problem('upstream-failed', { reason: 'connection' });
    return { outcome: { problem, again: 'retry' }, code: error.code };
  }
}

const reasonOf = ({ problem }: Refusal) => problem.reason ?? problem.code;
