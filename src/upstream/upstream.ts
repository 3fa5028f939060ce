/**
 * Constant Contact, as the rest of Sendgate sees it: ask for a page, get a page or a Problem.
 */
import type { Span } from '@opentelemetry/api';
import { type Clock, settlesWithin, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import { failed, inClientSpan, inSpan } from '../tracing.ts';
import type { Breaker } from './breaker.ts';
import type { Call, CampaignSummary, Dialect, Exchange, PageQuery, Refusal, SendsPage } from './dialect.ts';
import type { Gate } from './gate.ts';
import { endOfDay, quotaExhausted } from './quota/day.ts';
import type { Demand } from './quota/demand.ts';
import type { Quota } from './quota/quota.ts';
import type { RetryBudget } from './retry-budget.ts';
import { ConnectionFailure, type Transport } from './transport.ts';

export interface UpstreamOptions {
  /** One exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Waiting for a turn, calling and calling again, all together, in milliseconds. */
  readonly deadlineMs: number;
  /** The same for a walk through a whole campaign, which can wait for longer. */
  readonly bulkDeadlineMs: number;
  /** Calls after the first, for failures that may pass. */
  readonly retries: number;
}

/** What came of one call: `ok`, or the reason of its failure, out of a closed set; and Node's code, of a connection. */
export type CallObserver = (outcome: string, seconds: number, code: string | undefined) => void;

interface Parts {
  readonly dialect: Dialect;
  /** Undefined when there are credentials to call with; else resolves when there are, or rejects with a Problem. */
  readonly ready: () => Promise<void> | undefined;
  readonly transport: Transport;
  readonly quota: Quota;
  /** Shut while the credentials are refused. */
  readonly credentialsGate: Gate;
  /** Shut while the day's quota is spent. */
  readonly dayGate: Gate;
  readonly breaker: Breaker;
  readonly retryBudget: RetryBudget;
  readonly clock: Clock;
  readonly observe: CallObserver;
}

type Outcome<T> = { readonly answer: T } | Refusal;

/** The first pause before another call; it doubles, and half of it is jitter. */
const firstPauseMs = 200;

export class Upstream {
  readonly #parts: Parts;
  readonly #options: UpstreamOptions;

  constructor(parts: Parts, options: UpstreamOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get dialect(): Pick<Dialect, 'campaignIds' | 'filtersSince'> {
    return this.#parts.dialect;
  }

  /**
   * Fetches one page.
   *
   * @param demand on whose account, and how urgently
   * @param signal ends the wait for a turn; a call that has started is always heard out, since it is paid for
   * @throws Problem with any of the upstream codes
   */
  fetchPage(query: PageQuery, demand: Demand, signal: AbortSignal): Promise<SendsPage> {
    return this.#parts.dialect.fetchPage(query, this.#caller(demand), demand, signal);
  }

  /** The same of what is known of a campaign without reading it. */
  fetchSummary(campaign: string, demand: Demand, signal: AbortSignal): Promise<CampaignSummary> {
    return this.#parts.dialect.fetchSummary(campaign, this.#caller(demand), demand, signal);
  }

  /** Makes calls that all have to end by one deadline. */
  #caller({ urgency }: Demand): Call {
    const { deadlineMs, bulkDeadlineMs } = this.#options;
    const deadline = this.#parts.clock.monotonic() + (urgency === 'bulk' ? bulkDeadlineMs : deadlineMs);
    return (exchange, demand, signal) => this.#inTurn(exchange, demand, signal, deadline);
  }

  /** Waits for the quota, calls, and calls again where that helps, until the deadline. */
  async #inTurn<T>(exchange: Exchange<T>, demand: Demand, signal: AbortSignal, deadline: number): Promise<T> {
    const { clock, quota, credentialsGate, dayGate, breaker, retryBudget } = this.#parts;
    const left = () => deadline - clock.monotonic();

    let confirmed = false;
    for (let retries = 0; ; ) {
      dayGate.check();
      credentialsGate.check();
      breaker.check();
      await this.#credentials(left());
      const { team, urgency } = demand;
      const turn = await inSpan('quota wait', { 'sendgate.team': team, 'sendgate.urgency': urgency }, () =>
        quota.take(demand, left(), signal),
      );
      if (retries === 0) retryBudget.earn();
      const outcome = await this.#call(exchange, Math.min(this.#options.timeoutMs, left()), retries);
      turn.done('answer' in outcome);
      if ('answer' in outcome) {
        breaker.succeeded();
        credentialsGate.open();
        dayGate.open();
        return outcome.answer;
      }
      const { problem, again } = outcome;
      this.#learn(problem);
      const pauseMs = firstPauseMs * 2 ** retries * (0.5 + Math.random() / 2);
      const canConfirm = again === 'confirm' && !confirmed;
      const canRetry = again === 'retry' && retries < this.#options.retries && !breaker.isOpen;
      if (left() <= pauseMs || !(canConfirm || (canRetry && retryBudget.spend()))) throw this.#verdict(problem);
      if (canConfirm) confirmed = true;
      else retries++;
      await sleep(clock, pauseMs, signal);
    }
  }

  close(): void {
    this.#parts.quota.close();
    this.#parts.transport.close();
  }

  async #credentials(ms: number): Promise<void> {
    const { clock, ready } = this.#parts;
    const waiting = ready();
    if (waiting && !(await settlesWithin(clock, ms, waiting))) {
      throw new Problem('upstream-timeout', { reason: 'token' });
    }
  }

  /** What one answer says of the upstream as a whole. */
  #learn({ code, reason }: Problem): void {
    const { quota, breaker } = this.#parts;
    if (reason === 'throttled') quota.complain();
    else if (code === 'upstream-timeout' || (code === 'upstream-failed' && reason !== 'http-4xx')) breaker.failed();
    else breaker.succeeded();
  }

  /** Some refusals hold for every call: the gate is shut, and those who wait for their turn are told at once. */
  #verdict(problem: Problem): Problem {
    const { clock, quota, credentialsGate, dayGate } = this.#parts;
    if (problem.code === 'upstream-credentials-refused') {
      credentialsGate.shut();
      quota.refuseWaiting(problem);
    }
    if (problem.code !== 'upstream-quota-exhausted') return problem;
    const exhausted = quotaExhausted(clock.now());
    dayGate.shut(endOfDay(clock.now()));
    quota.refuseWaiting(exhausted);
    return exhausted;
  }

  /** One call. Whatever goes wrong comes back as a value, so that the loop above is the one place that decides. */
  async #call<T>(exchange: Exchange<T>, timeoutMs: number, resendCount: number): Promise<Outcome<T>> {
    const { clock, observe } = this.#parts;
    const started = clock.monotonic();
    const attributes = resendCount === 0 ? {} : { 'http.request.resend_count': resendCount };
    const { outcome, code } = await inClientSpan('GET', attributes, async (span, headers) => {
      const ended = await this.#send(exchange, timeoutMs, span, headers);
      if (!('answer' in ended.outcome)) failed(span, reasonOf(ended.outcome));
      return ended;
    });
    observe('answer' in outcome ? 'ok' : reasonOf(outcome), (clock.monotonic() - started) / 1000, code);
    return outcome;
  }

  /** @param headers that go with those of the exchange */
  async #send<T>(
    exchange: Exchange<T>,
    timeoutMs: number,
    span: Span,
    headers: Readonly<Record<string, string>>,
  ): Promise<{ readonly outcome: Outcome<T>; readonly code?: string }> {
    const { transport } = this.#parts;
    try {
      const request = exchange.request();
      span.setAttributes(transport.describe(request));
      const reply = await transport.send({ ...request, headers: { ...request.headers, ...headers } }, timeoutMs);
      span.setAttribute('http.response.status_code', reply.status);
      if (reply.status !== 200) return { outcome: exchange.refusal(reply.status, reply.body) };
      return { outcome: { answer: exchange.parse(reply.body) } };
    } catch (error) {
      if (error instanceof Problem) return { outcome: { problem: error, again: 'never' } };
      if (!(error instanceof ConnectionFailure)) throw error;
      const problem = new Problem('upstream-failed', { reason: 'connection' });
      return { outcome: { problem, again: 'retry' }, code: error.code };
    }
  }
}

const reasonOf = ({ problem }: Refusal) => problem.reason ?? problem.code;
