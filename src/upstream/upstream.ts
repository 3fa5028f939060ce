/**
 * Constant Contact, as the rest of Sendgate sees it: ask for a page, get a page or a Problem.
 */
import { type Clock, settlesWithin, sleep } from '../clock.ts';
import type { CampaignSummary } from '../model/campaign-summary.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ReportPage } from '../model/report.ts';
import type { OddRows } from '../model/rows.ts';
import { askedToWait, Problem, type ProblemCode } from '../problems.ts';
import { account } from '../quota/day-shares.ts';
import { Demand } from '../quota/demand.ts';
import type { Quota } from '../quota/quota.ts';
import { inSpan } from '../tracing.ts';
import type { Call, Dialect, Exchange, Refusal } from './adapter.ts';
import type { Gate } from './gate.ts';
import { type Gates, isRefused } from './gates.ts';
import { type CallObserver, callOnce, type Outcome } from './one-call.ts';
import { type Finding, findingOf, type Prober } from './prober.ts';
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
  readonly gates: Gates;
  readonly prober: Prober;
  readonly retryBudget: RetryBudget;
  readonly clock: Clock;
  readonly observe: CallObserver;
  /** Called with the odd fields of a page that was accepted. */
  readonly onOdd: (campaign: string, odd: OddRows) => void;
}

/** The first pause before another call; it doubles, and half of it is jitter. */
const firstPauseMs = 200;

/** Bounds of what `Retry-After` can do: to all calls, to what one question's caller is told, and to the day's next probe. */
const longestPauseMs = 60_000;
const longestToldMs = 3_600_000;
const soonestDayProbeMs = 60_000;

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
  async fetchPage(query: PageQuery, demand: Demand, signal: AbortSignal): Promise<ReportPage> {
    const { dialect, onOdd } = this.#parts;
    const page = await dialect.fetchPage(query, this.#caller(demand), demand, signal);
    if (page.odd) onOdd(query.campaign, page.odd);
    return page;
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
    const { clock, quota, gates, prober, retryBudget } = this.#parts;
    const { breaker } = gates;
    const left = () => deadline - clock.monotonic();

    let confirmed = false;
    let askedAnew = false;
    for (let retries = 0; ; ) {
      await this.#passGates(left());
      await this.#credentials(left());
      const { team, urgency } = demand;
      const turn = await inSpan('quota wait', { 'sendgate.team': team, 'sendgate.urgency': urgency }, () =>
        quota.take(demand, left(), signal),
      );
      if (retries === 0) retryBudget.earn(demand);
      const timeoutMs = Math.min(this.#options.timeoutMs, left());
      const { timesForgotten } = prober;
      const outcome = await callOnce(this.#parts, exchange, timeoutMs, retries);
      turn.done('answer' in outcome);
      if ('answer' in outcome) {
        breaker.answered();
        this.#answeredAt = clock.monotonic();
        return outcome.answer;
      }
      const { problem, again, waitMs = 0 } = outcome;
      const finding = findingOf(problem);
      this.#learn(finding, waitMs);
      const pauseMs = Math.max(waitMs, firstPauseMs * 2 ** retries * (0.5 + Math.random() / 2));
      const canConfirm = again === 'confirm' && !confirmed;
      const canRetry = again === 'retry' && retries < this.#options.retries && !breaker.isOpen && !breaker.isSuspect;
      // Others may have joined a walk's question, who do not wait for as long as a walk does.
      const mayPause = pauseMs < Math.min(left(), this.#options.deadlineMs);
      if (!mayPause || !(canConfirm || (canRetry && retryBudget.spend(demand)))) {
        if (finding === 'day') throw gates.day.problem;
        if (timeoutMs < this.#options.timeoutMs && problem.code === 'upstream-timeout') throw problem;
        // Who has waited less may be answered by a retry: this is not remembered.
        if (finding === 'failed' && canRetry && !mayPause && waitMs === 0) throw problem;
        const verdict = await this.#verdict(outcome, finding, left());
        // What was refused may be credentials that have been replaced since, by the probe or by a person.
        const mayAskAnew = finding === 'refused' && prober.timesForgotten !== timesForgotten && !askedAnew;
        if (!mayAskAnew) throw verdict;
        askedAnew = true;
        continue;
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

  /** By precedence: callers get the problem of the first that is shut. */
  get #gates(): readonly Gate[] {
    const { gone, day, credentials, breaker } = this.#parts.gates;
    return [gone, day, credentials, breaker.gate];
  }

  /** Throws what a shut gate says. Where its probe is due, one caller waits for what that finds. */
  async #passGates(ms: number): Promise<void> {
    for (const gate of this.#gates) {
      const probing = gate.check(() => this.#probe(0));
      if (probing && !(await settlesWithin(this.#parts.clock, ms, probing))) {
        throw new Problem('upstream-timeout', { reason: 'probe' });
      }
    }
  }

  /**
   * What an answer says, or its absence: the limits' own answers hold for all, everything else only counts.
   *
   * @param waitMs for how long it asks to wait; 0 where it does not
   */
  #learn(finding: Finding, waitMs: number): void {
    const { quota, gates } = this.#parts;
    const { breaker } = gates;
    if (finding === 'failed') breaker.failed();
    if (finding === 'second') quota.complain(Math.min(waitMs, longestPauseMs));
    if (finding === 'day') gates.day.learn(finding, waitMs > 0 ? Math.max(waitMs, soonestDayProbeMs) : undefined);
    if (breaker.isSuspect) void this.#judgeOutage();
  }

  /** A run of failures is an outage or one caller's odd questions. If the probe is answered it is the latter, and the count restarts. */
  async #judgeOutage(): Promise<void> {
    const { breaker } = this.#parts.gates;
    const finding = await breaker.gate.judge(() => this.#probe(this.#options.breakerProbeMs));
    if (finding === 'answered') breaker.answered();
  }

  /**
   * The problem of a question that was not answered. Unless it is everybody's, it is marked as lasting: the question is odd,
   * as a caller can make one, and a probe decides whether a refusal, or a limit that is not named, means more than that.
   */
  async #verdict({ problem, waitMs = 0 }: Refusal, finding: Finding, ms: number): Promise<Problem> {
    const { clock, gates } = this.#parts;
    const { code, reason } = problem;
    const busy = (isLasting: boolean) => busyFor(waitMs, reason, isLasting);
    if (finding === 'second') return busy(false);
    if (finding === 'answered') return code === 'upstream-failed' ? lasting(code, reason) : problem;
    if (finding === 'failed') {
      if (gates.breaker.isOpen || gates.breaker.isSuspect) return problem;
      return waitMs > 0 ? busy(true) : lasting(code, reason);
    }
    const retryMs = this.#options.credentialsRetrySeconds * 1000;
    const isAnswered = finding !== 'limited' && clock.monotonic() - this.#answeredAt < retryMs;
    const probing = this.#probe(isAnswered ? retryMs * 10 : retryMs);
    const found = (await settlesWithin(clock, Math.max(0, ms), probing)) ? await probing : undefined;
    const shut = this.#gates.find((gate) => gate.isShut);
    if (shut) return isRefused(finding) && shut === gates.credentials ? problem : shut.problem;
    // The limit is taken for the account's, unless the probe was answered.
    if (finding === 'limited') return busy(found === 'answered');
    return new Problem('upstream-failed', { reason, isLasting: found === 'answered' });
  }

  /**
   * What a question finds that is known to be good; undefined when it cannot be asked. Counted for the account alone. All gates
   * are told, whatever it was asked for.
   */
  #probe(maxAgeMs: number): Promise<Finding | undefined> {
    const { prober, gates } = this.#parts;
    const { breakerProbeMs } = this.#options;
    // That it failed, or met a limit, may be over in a moment.
    const isVerdict = prober.last !== undefined && (prober.last === 'answered' || isFinal(prober.last));
    return prober.find(isVerdict ? maxAgeMs : Math.min(maxAgeMs, breakerProbeMs), async () => {
      try {
        let outcome = await this.#askNeutral();
        // v3's token may have been ended before its time: what replaces it tells whether the credentials are taken.
        const isUnauthorized = outcome && 'problem' in outcome && outcome.problem.reason === 'http-401';
        if (isUnauthorized && !gates.credentials.isShut && (await this.#isTokenReplaced()))
          outcome = await this.#askNeutral();
        if (!outcome) return undefined;
        const said = 'answer' in outcome ? 'answered' : findingOf(outcome.problem);
        // What is known to be good meets no firewall's limit.
        const finding = said === 'limited' ? 'second' : said;
        if (finding === 'answered' || isFinal(finding)) gates.breaker.answered();
        else this.#learn(finding, ('waitMs' in outcome && outcome.waitMs) || 0);
        for (const gate of this.#gates) gate.learn(finding);
        return finding;
      } catch (error) {
        if (error instanceof Problem) return undefined;
        throw error;
      }
    });
  }

  /** Undefined when the credentials were replaced meanwhile: the answer was to the old ones. */
  async #askNeutral(): Promise<Outcome<unknown> | undefined> {
    const { prober, quota, dialect } = this.#parts;
    const { deadlineMs, timeoutMs } = this.#options;
    await this.#credentials(deadlineMs);
    const turn = await quota.take(new Demand(account, 'interactive'), deadlineMs);
    const { timesForgotten } = prober;
    const outcome = await callOnce(this.#parts, dialect.neutral(), timeoutMs, 0);
    turn.done(false);
    return prober.timesForgotten === timesForgotten ? outcome : undefined;
  }

  async #isTokenReplaced(): Promise<boolean> {
    const { clock, ready } = this.#parts;
    const replacing = ready();
    return replacing !== undefined && settlesWithin(clock, this.#options.deadlineMs, replacing).catch(() => false);
  }
}

const lasting = (code: ProblemCode, reason: string | undefined) => new Problem(code, { reason, isLasting: true });

/** A no that stays one until a person acts. */
const isFinal = (finding: Finding) => isRefused(finding) || finding === 'gone';

function busyFor(waitMs: number, reason: string | undefined, isLasting: boolean): Problem {
  const retryAfterSeconds = Math.max(1, Math.ceil(Math.min(waitMs, longestToldMs) / 1000));
  return new Problem('upstream-busy', {
    retryAfterSeconds,
    reason,
    isLasting,
    ...(isLasting && { detail: askedToWait }),
  });
}
