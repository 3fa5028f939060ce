/**
 * The client of Constant Contact: every question passes the gates, waits for credentials and a permit, is sent, and is
 * retried where that helps, until its deadline.
 */
import { settlesWithin, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import type { Demand } from '../quota/demand.ts';
import type { Quota } from '../quota/quota.ts';
import { inSpan } from '../tracing.ts';
import type { ErrorMeaning, Question } from './adapter.ts';
import { type CallParts, callWith } from './call.ts';
import { haveCredentials } from './credentials.ts';
import { type Finding, findingOf } from './finding.ts';
import { type Gates, inOrder, learnFromAnswer } from './gates.ts';
import type { NeutralCall, NeutralCallOptions } from './neutral-call.ts';
import type { Prober } from './prober.ts';
import { Retries } from './retries.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { Transport } from './transport.ts';
import { verdictOf } from './verdict.ts';

export interface CallLoopOptions extends NeutralCallOptions {
  /** Total time to queue, call and retry, in milliseconds. */
  readonly deadlineMs: number;
  /** The same for bulk walks, which can wait longer. */
  readonly bulkDeadlineMs: number;
  /** Retries after a failure that may pass. */
  readonly retries: number;
  /** Shortest time between two probes of refused credentials. */
  readonly credentialsRetrySeconds: number;
}

export interface CallLoopParts extends CallParts {
  readonly gates: Gates;
  readonly prober: Prober;
  readonly neutral: Pick<NeutralCall, 'find'>;
  readonly transport: Pick<Transport, 'send' | 'describe' | 'close'>;
  readonly quota: Pick<Quota, 'take' | 'stored' | 'complain' | 'close'>;
  readonly retryBudget: RetryBudget;
}

/**
 * Asks one of several questions that share a deadline.
 *
 * @param prepare creates the question anew for every call, once its permit is granted
 * @param signal ends the wait for a permit; a started call always completes, since it is paid for
 * @throws Problem with any upstream code
 */
export type Ask = <T>(prepare: () => Question<T>, demand: Demand, signal: AbortSignal) => Promise<T>;

/** How one caller asks: its deadline, its demand, and its signal. */
export interface Asking {
  readonly ask: Ask;
  readonly demand: Demand;
  readonly signal: AbortSignal;
}

export class CallLoop {
  readonly #parts: CallLoopParts;
  readonly #options: CallLoopOptions;
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(parts: CallLoopParts, options: CallLoopOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /** Starts the deadline for one caller's questions. */
  asking(demand: Demand, signal: AbortSignal): Asking {
    const { deadlineMs, bulkDeadlineMs } = this.#options;
    const deadline = this.#parts.clock.monotonic() + (demand.urgency === 'bulk' ? bulkDeadlineMs : deadlineMs);
    return { demand, signal, ask: (prepare, whose, until) => this.#ask(prepare, whose, until, deadline) };
  }

  close(): void {
    this.#parts.quota.close();
    this.#parts.transport.close();
  }

  async #ask<T>(prepare: () => Question<T>, demand: Demand, signal: AbortSignal, deadline: number): Promise<T> {
    const { clock, gates, prober, retryBudget } = this.#parts;
    const { breaker } = gates;
    const left = () => deadline - clock.monotonic();
    const retries = new Retries(retryBudget, demand, this.#options.retries);
    for (let askedAnew = false; ; ) {
      const permit = await orGiveBack(retries, this.#acquire(demand, left, signal));
      retries.called();
      const timeoutMs = Math.min(this.#options.timeoutMs, left());
      const { timesForgotten } = prober;
      const options = { timeoutMs, resendCount: retries.made, isNeutral: false };
      const outcome = await callWith(permit, this.#parts, prepare, options);
      if ('answer' in outcome) {
        breaker.answered();
        this.#answeredAt = clock.monotonic();
        return outcome.answer;
      }
      const finding = this.#learn(outcome);
      // Callers who joined a walk's question do not wait as long as the walk.
      const mostMs = Math.min(left(), this.#options.deadlineMs);
      const next = retries.next(outcome, mostMs, breaker.isOpen || breaker.isSuspect);
      if ('pauseMs' in next) {
        await orGiveBack(retries, sleep(clock, next.pauseMs, signal));
        continue;
      }
      const isOwnTimeout = timeoutMs < this.#options.timeoutMs && outcome.problem.code === 'upstream-timeout';
      const problem = await this.#problemOf(outcome, isOwnTimeout || next.end === 'late', left());
      // The refused credentials may have been replaced meanwhile, by the neutral call or by an operator.
      const mayAskAnew = finding === 'refused' && prober.timesForgotten !== timesForgotten && !askedAnew;
      if (!mayAskAnew) throw problem;
      askedAnew = true;
    }
  }

  #learn({ problem, waitMs = 0 }: ErrorMeaning): Finding {
    const finding = findingOf(problem);
    learnFromAnswer(this.#parts, finding, waitMs);
    if (this.#parts.gates.breaker.isSuspect) void this.#judgeOutage();
    return finding;
  }

  /** @param isLate whether the call may have failed only for lack of time; that is not remembered */
  async #problemOf(meaning: ErrorMeaning, isLate: boolean, ms: number): Promise<Problem> {
    const { clock, gates, neutral } = this.#parts;
    const { problem, waitMs = 0 } = meaning;
    const finding = findingOf(problem);
    if (finding === 'day') return gates.day.problem;
    if (finding === 'failed' && isLate && waitMs === 0) return problem;
    const credentialsRetryMs = this.#options.credentialsRetrySeconds * 1000;
    const parts = { clock, gates, neutral, credentialsRetryMs, answeredAt: this.#answeredAt };
    return verdictOf(parts, meaning, ms);
  }

  /** Passes the gates, waits for credentials, then for a permit. The permit comes last: every permit leads to a call. */
  async #acquire(demand: Demand, left: () => number, signal: AbortSignal) {
    await this.#passGates(left());
    await haveCredentials(this.#parts.credentials, this.#parts.clock, left());
    const { team, urgency } = demand;
    return inSpan('quota wait', { 'sendgate.team': team, 'sendgate.urgency': urgency }, () =>
      this.#parts.quota.take(demand, left(), signal),
    );
  }

  /** Throws the problem of a shut gate. If its probe is due, one caller waits for the probe's finding. */
  async #passGates(ms: number): Promise<void> {
    for (const gate of inOrder(this.#parts.gates)) {
      const probing = gate.check(() => this.#parts.neutral.find(0));
      if (probing && !(await settlesWithin(this.#parts.clock, ms, probing))) {
        throw new Problem('upstream-timeout', { reason: 'probe' });
      }
    }
  }

  /**
   * Decides by a probe whether consecutive failures are an outage or one caller's odd questions. If the probe is answered,
   * the count restarts.
   */
  async #judgeOutage(): Promise<void> {
    const { breaker } = this.#parts.gates;
    const finding = await this.#parts.neutral.find(this.#options.breakerProbeMs);
    if (finding) breaker.gate.learn(finding);
    if (finding === 'answered') breaker.answered();
  }
}

/** Awaits a step before a call. If it fails, gives the retry back. */
async function orGiveBack<T>(retries: Retries, waiting: Promise<T>): Promise<T> {
  try {
    return await waiting;
  } catch (error) {
    retries.giveBack();
    throw error;
  }
}
