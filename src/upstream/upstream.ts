/**
 * Constant Contact, as the rest of Sendgate sees it: ask for a page, get a page or a Problem.
 */
import { type Clock, settlesWithin, sleep } from '../clock.ts';
import { Problem, type ProblemCode } from '../problems.ts';
import { inSpan } from '../tracing.ts';
import type { Breaker } from './breaker.ts';
import type { Call, CampaignSummary, Dialect, Exchange, PageQuery, SendsPage } from './dialect.ts';
import type { Gate } from './gate.ts';
import { type CallObserver, callOnce } from './one-call.ts';
import { type Finding, findingOf, type Prober } from './prober.ts';
import { quotaExhausted } from './quota/day.ts';
import { account } from './quota/day-shares.ts';
import { Demand } from './quota/demand.ts';
import type { Quota } from './quota/quota.ts';
import type { RetryBudget } from './retry-budget.ts';
import type { Transport } from './transport.ts';

export interface UpstreamOptions {
  /** One exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Waiting for a turn, calling and calling again, all together, in milliseconds. */
  readonly deadlineMs: number;
  /** The same for a walk through a whole campaign, which can wait for longer. */
  readonly bulkDeadlineMs: number;
  /** Calls after the first, for failures that may pass. */
  readonly retries: number;
  /** Shortest time between two probes of whether the upstream is down. */
  readonly breakerProbeMs: number;
  /** Shortest time between two probes of whether the credentials are taken. */
  readonly credentialsRetrySeconds: number;
}

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
  readonly prober: Prober;
  readonly retryBudget: RetryBudget;
  readonly clock: Clock;
  readonly observe: CallObserver;
}

/** The first pause before another call; it doubles, and half of it is jitter. */
const firstPauseMs = 200;

export class Upstream {
  readonly #parts: Parts;
  readonly #options: UpstreamOptions;
  /** Monotonic time of the last good answer to any question. */
  #answeredAt = Number.NEGATIVE_INFINITY;

  constructor(parts: Parts, options: UpstreamOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get dialect(): Pick<Dialect, 'campaignIds' | 'filtersSince' | 'ids'> {
    return this.#parts.dialect;
  }

  /**
   * Fetches one page.
   *
   * @param demand on whose account, and how urgently
   * @param signal ends the wait for a turn; a call that has started is always heard out, since it is paid for
   * @throws Problem with any of the upstream codes, or MeansAnotherId
   */
  fetchPage(query: PageQuery, demand: Demand, signal: AbortSignal): Promise<SendsPage> {
    return this.#parts.dialect.fetchPage(query, this.#caller(demand), demand, signal);
  }

  /** The same of what is known of a campaign without reading it. */
  fetchSummary(campaign: string, demand: Demand, signal: AbortSignal): Promise<CampaignSummary> {
    return this.#parts.dialect.fetchSummary(campaign, this.#caller(demand), demand, signal);
  }

  /**
   * Finds out which activity an id means, on the account's own cost, where that is not known.
   *
   * @throws Problem with any of the upstream codes; none when there is no such id
   */
  async identify(id: string): Promise<void> {
    const demand = new Demand(account, 'interactive');
    await this.#parts.dialect.identify(id, this.#caller(demand), demand, new AbortController().signal);
  }

  /** Makes calls that all have to end by one deadline. */
  #caller({ urgency }: Demand): Call {
    const { deadlineMs, bulkDeadlineMs } = this.#options;
    const deadline = this.#parts.clock.monotonic() + (urgency === 'bulk' ? bulkDeadlineMs : deadlineMs);
    return (exchange, demand, signal) => this.#inTurn(exchange, demand, signal, deadline);
  }

  /** Waits for the quota, calls, and calls again where that helps, until the deadline. */
  async #inTurn<T>(exchange: Exchange<T>, demand: Demand, signal: AbortSignal, deadline: number): Promise<T> {
    const { clock, quota, breaker, retryBudget } = this.#parts;
    const left = () => deadline - clock.monotonic();

    let confirmed = false;
    for (let retries = 0; ; ) {
      await this.#passGates(left());
      await this.#credentials(left());
      const { team, urgency } = demand;
      const turn = await inSpan('quota wait', { 'sendgate.team': team, 'sendgate.urgency': urgency }, () =>
        quota.take(demand, left(), signal),
      );
      if (retries === 0) retryBudget.earn(demand);
      const timeoutMs = Math.min(this.#options.timeoutMs, left());
      const outcome = await callOnce(this.#parts, exchange, timeoutMs, retries);
      turn.done('answer' in outcome);
      if ('answer' in outcome) {
        breaker.answered();
        this.#answeredAt = clock.monotonic();
        return outcome.answer;
      }
      const { problem, again } = outcome;
      const finding = findingOf(problem);
      this.#learn(finding);
      const pauseMs = firstPauseMs * 2 ** retries * (0.5 + Math.random() / 2);
      const canConfirm = again === 'confirm' && !confirmed;
      const canRetry = again === 'retry' && retries < this.#options.retries && !breaker.isOpen && !breaker.isSuspect;
      if (left() <= pauseMs || !(canConfirm || (canRetry && retryBudget.spend(demand)))) {
        if (finding === 'day') throw quotaExhausted(clock.now());
        if (timeoutMs < this.#options.timeoutMs && problem.code === 'upstream-timeout') throw problem;
        throw await this.#verdict(problem, finding, left());
      }
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

  /** Throws what a shut gate says. Where its probe is due, one caller waits for what that finds. */
  async #passGates(ms: number): Promise<void> {
    const { clock, dayGate, credentialsGate, breaker } = this.#parts;
    for (const gate of [dayGate, credentialsGate, breaker.gate]) {
      const probing = gate.check(() => this.#probe(0));
      if (probing && !(await settlesWithin(clock, ms, probing))) {
        throw new Problem('upstream-timeout', { reason: 'probe' });
      }
    }
  }

  /** What an answer says, or its absence: the limits' own answers hold for all, everything else only counts. */
  #learn(finding: Finding): void {
    const { quota, breaker, dayGate } = this.#parts;
    if (finding === 'failed') breaker.failed();
    if (finding === 'second') quota.complain();
    if (finding === 'day') dayGate.shut();
    if (breaker.isSuspect) void this.#judgeOutage();
  }

  /** So many failures in a row are an outage, or one caller's odd questions: then they count anew. */
  async #judgeOutage(): Promise<void> {
    const { breaker } = this.#parts;
    const finding = await breaker.gate.judge(() => this.#probe(this.#options.breakerProbeMs));
    if (finding === 'answered') breaker.answered();
  }

  /**
   * The problem of a question that was not answered. Unless it is everybody's, it is marked as lasting: the question is odd,
   * as a caller can make one, and a probe decides whether a refusal means more than that.
   */
  async #verdict(problem: Problem, finding: Finding, ms: number): Promise<Problem> {
    const { clock, credentialsGate, breaker } = this.#parts;
    const { code, reason } = problem;
    if (finding === 'second') return problem;
    if (finding === 'answered') return code === 'upstream-failed' ? lasting(code, reason) : problem;
    if (finding === 'limited') return this.#limitVerdict(problem, ms);
    if (finding === 'failed') return breaker.isOpen || breaker.isSuspect ? problem : lasting(code, reason);

    const retryMs = this.#options.credentialsRetrySeconds * 1000;
    const isAnswered = clock.monotonic() - this.#answeredAt < retryMs;
    const judging = credentialsGate.judge(() => this.#probe(isAnswered ? retryMs * 10 : retryMs));
    const found = (await settlesWithin(clock, Math.max(0, ms), judging)) ? await judging : undefined;
    if (credentialsGate.isShut) return problem;
    return found === 'answered' ? lasting('upstream-failed', reason) : new Problem('upstream-failed', { reason });
  }

  /** A limit that is not named is the account's where the probe meets one too; otherwise the question is odd. */
  async #limitVerdict({ code, reason }: Problem, ms: number): Promise<Problem> {
    const { clock } = this.#parts;
    const probing = this.#probe(this.#options.credentialsRetrySeconds * 1000);
    const found = (await settlesWithin(clock, Math.max(0, ms), probing)) ? await probing : undefined;
    if (found === 'answered') return lasting(code, reason);
    return new Problem('upstream-busy', { retryAfterSeconds: 1, reason: 'throttled' });
  }

  /** What a question finds that is known to be good; undefined when it cannot be asked. Counted for the account alone. */
  #probe(maxAgeMs: number): Promise<Finding | undefined> {
    const { prober, quota, dialect, breaker } = this.#parts;
    const { deadlineMs, timeoutMs, breakerProbeMs } = this.#options;
    // That it failed, or met a limit, may be over in a moment.
    const isVerdict = prober.last === 'answered' || prober.last === 'refused';
    return prober.find(isVerdict ? maxAgeMs : Math.min(maxAgeMs, breakerProbeMs), async () => {
      try {
        await this.#credentials(deadlineMs);
        const turn = await quota.take(new Demand(account, 'interactive'), deadlineMs);
        const { timesForgotten } = prober;
        const outcome = await callOnce(this.#parts, dialect.neutral(), timeoutMs, 0);
        turn.done(false);
        if (prober.timesForgotten !== timesForgotten) return undefined;
        const said = 'answer' in outcome ? 'answered' : findingOf(outcome.problem);
        // What is known to be good meets no firewall's limit.
        const finding = said === 'limited' ? 'second' : said;
        if (finding === 'answered' || finding === 'refused') breaker.answered();
        else this.#learn(finding);
        return finding;
      } catch (error) {
        if (error instanceof Problem) return undefined;
        throw error;
      }
    });
  }
}

const lasting = (code: ProblemCode, reason: string | undefined) => new Problem(code, { reason, isLasting: true });
