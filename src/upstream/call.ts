/**
 * Makes one call to Constant Contact, with its span and metrics. Failures are returned as values.
 */
import type { Span } from '@opentelemetry/api';
import type { Clock } from '../clock.ts';
import type { CallReport } from '../model/resource.ts';
import { Problem } from '../problems.ts';
import type { Quota } from '../quota/quota.ts';
import { failed, inClientSpan } from '../tracing.ts';
import type { ErrorMeaning, Question, Reply } from './adapter.ts';
import type { Credentials } from './credentials.ts';
import { readErrorBody } from './error-body.ts';
import { findingOf, isLimit } from './finding.ts';
import { retryAfterMs } from './limits.ts';
import { ConnectionFailure, type Transport } from './transport.ts';

/** Details of a failed call, for the log. */
export interface Failure {
  /** Node's error code of a connection failure. */
  readonly code?: string;
  /** Host and port of the proxy that did not connect. */
  readonly proxy?: string | undefined;
  /** Constant Contact's support can find the call by this id. */
  readonly upstreamRequestId?: string | undefined;
}

/** A call that was made. */
export interface ObservedCall {
  readonly report: CallReport;
  /** The team that paid; empty for the account. */
  readonly team: string;
  /** `ok` or the failure's reason, from a closed set. */
  readonly outcome: string;
  readonly seconds: number;
  /** How long it queued for its permit. */
  readonly waitedSeconds: number;
}

export type CallObserver = (call: ObservedCall, about: Failure) => void;

export type CallOutcome<T> = { readonly answer: T } | ErrorMeaning;

export interface CallParts {
  readonly transport: Pick<Transport, 'send' | 'describe'>;
  readonly credentials: Credentials;
  readonly quota: Pick<Quota, 'stored'>;
  readonly clock: Clock;
  readonly observe: CallObserver;
}

/** A permit for one call, granted by the quota. */
type Permit = Awaited<ReturnType<Quota['take']>>;

interface CallOptions {
  readonly timeoutMs: number;
  /** Earlier calls for the same question. */
  readonly resendCount: number;
  readonly isNeutral: boolean;
}

/**
 * Makes the call that a permit was granted for once it is stored as counted, and ends the permit in every case: one that was not
 * sent does not count.
 *
 * @param prepare called right before the call; until then the question may be extended
 */
export async function callWith<T>(
  permit: Permit,
  parts: CallParts,
  prepare: () => Question<T>,
  options: CallOptions,
): Promise<CallOutcome<T>> {
  let isPage = false;
  try {
    await parts.quota.stored;
    const outcome = await callOnce(permit, parts, prepare(), options);
    // Refusals and neutral calls return faster than pages.
    isPage = 'answer' in outcome && !options.isNeutral;
    if ('problem' in outcome && outcome.isUnsent) permit.giveBack();
    return outcome;
  } finally {
    permit.done(isPage);
  }
}

async function callOnce<T>(
  { team, waitedSeconds }: Permit,
  parts: CallParts,
  question: Question<T>,
  options: CallOptions,
): Promise<CallOutcome<T>> {
  const { clock, observe } = parts;
  const { resendCount } = options;
  const started = clock.monotonic();
  const { report } = question;
  const attributes = {
    'sendgate.report': report,
    ...(resendCount === 0 ? {} : { 'http.request.resend_count': resendCount }),
  };
  const { outcome, about } = await inClientSpan('GET', attributes, async (span, headers) => {
    const ended = await send(parts, question, options, span, headers);
    if (!('answer' in ended.outcome)) failed(span, reasonOf(ended.outcome));
    return ended;
  });
  const seconds = (clock.monotonic() - started) / 1000;
  observe({ report, team, outcome: 'answer' in outcome ? 'ok' : reasonOf(outcome), seconds, waitedSeconds }, about);
  return outcome;
}

/** @param traceHeaders sent with the request's own headers */
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
    const { code, proxy } = error;
    return { outcome: meaningOfFailure(error), about: { code, proxy } };
  }
}

const reasonOf = ({ problem }: ErrorMeaning) => problem.reason ?? problem.code;

/** Whether `Retry-After` is honoured: only for a limit or an unavailable service. */
function mayAskToWait({ status }: Reply, { problem }: ErrorMeaning): boolean {
  return status === 429 || status === 503 || isLimit(findingOf(problem));
}

/** A proxy that refuses to connect will refuse again; one that cannot connect may do so in a moment. */
function meaningOfFailure({ code, proxy, isUnsent }: ConnectionFailure): ErrorMeaning {
  if (proxy === undefined) {
    return { problem: new Problem('upstream-failed', { reason: 'connection' }), again: 'retry', isUnsent };
  }
  const isLate = code === 'PROXY_TIMEOUT';
  const problem = new Problem(isLate ? 'upstream-timeout' : 'upstream-failed', { reason: 'proxy' });
  return { problem, again: isLate || /^PROXY_4\d\d$/.test(code) ? 'never' : 'retry', isUnsent };
}

/** Headers with the ids that Constant Contact's support asks for. A value that does not look like an id is dropped. */
const requestIds = ['x-amzn-requestid', 'x-eig-tracking-id'] as const;
const requestIdPattern = /^[A-Za-z0-9_.:=/-]{8,128}$/;

function requestIdOf({ headers }: Reply): string | undefined {
  return requestIds.map((name) => headers[name] ?? '').find((id) => requestIdPattern.test(id));
}
