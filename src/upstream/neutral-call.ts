/**
 * Makes the neutral call: a question without caller input. Its response shows whether a failure is one question's own or
 * everyone's, and all gates learn from it.
 */
import { type Clock, settlesWithin } from '../clock.ts';
import { Problem } from '../problems.ts';
import { account } from '../quota/day-shares.ts';
import { Demand } from '../quota/demand.ts';
import type { Quota } from '../quota/quota.ts';
import type { Adapter } from './adapter.ts';
import { type CallOutcome, type CallParts, callWith } from './call.ts';
import { haveCredentials } from './credentials.ts';
import { type Finding, findingOf, isFinal } from './finding.ts';
import { type Gates, inOrder, learnFromAnswer } from './gates.ts';
import type { Prober } from './prober.ts';

export interface NeutralCallOptions {
  /** Time limit of one call, in milliseconds. */
  readonly timeoutMs: number;
  /** Longest wait for credentials, and for a permit, in milliseconds. */
  readonly deadlineMs: number;
  /** Shortest time between two probes of an outage. */
  readonly breakerProbeMs: number;
}

export interface NeutralCallParts extends CallParts {
  readonly adapter: Pick<Adapter, 'neutral'>;
  readonly clock: Clock;
  readonly quota: Pick<Quota, 'take' | 'stored' | 'complain'>;
  readonly gates: Gates;
  readonly prober: Prober;
}

export class NeutralCall {
  readonly #parts: NeutralCallParts;
  readonly #options: NeutralCallOptions;

  constructor(parts: NeutralCallParts, options: NeutralCallOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  /**
   * Returns the finding of the call in flight, of the last one, or of a new one, charged to the account. Undefined if no call
   * can be made.
   *
   * @param maxAgeMs oldest acceptable finding
   */
  find(maxAgeMs: number): Promise<Finding | undefined> {
    const { prober } = this.#parts;
    // A failure or a limit may pass soon, so it expires sooner.
    const isVerdict = prober.last !== undefined && (prober.last === 'answered' || isFinal(prober.last));
    return prober.find(isVerdict ? maxAgeMs : Math.min(maxAgeMs, this.#options.breakerProbeMs), () => this.#findAnew());
  }

  async #findAnew(): Promise<Finding | undefined> {
    const outcome = await this.#askTwice().catch((error: unknown) => {
      if (error instanceof Problem) return undefined;
      throw error;
    });
    if (!outcome) return undefined;
    const finding = 'answer' in outcome ? 'answered' : ofRefusal(outcome.problem);
    const { gates } = this.#parts;
    if (finding === 'answered' || isFinal(finding)) gates.breaker.answered();
    else learnFromAnswer(this.#parts, finding, ('waitMs' in outcome && outcome.waitMs) || 0);
    for (const gate of inOrder(gates)) gate.learn(finding);
    return finding;
  }

  /** Asks again if v3's token was replaced after a 401: it may have ended early. */
  async #askTwice(): Promise<CallOutcome<unknown> | undefined> {
    const outcome = await this.#ask();
    const isUnauthorized = outcome && 'problem' in outcome && outcome.problem.reason === 'http-401';
    if (!isUnauthorized || this.#parts.gates.credentials.isShut || !(await this.#isTokenReplaced())) return outcome;
    return this.#ask();
  }

  /** Undefined if the credentials were replaced meanwhile: the response was to the old ones. */
  async #ask(): Promise<CallOutcome<unknown> | undefined> {
    const { prober, quota, adapter, credentials, clock } = this.#parts;
    const { deadlineMs, timeoutMs } = this.#options;
    await haveCredentials(credentials, clock, deadlineMs);
    const permit = await quota.take(new Demand(account, 'interactive'), deadlineMs);
    const { timesForgotten } = prober;
    const outcome = await callWith(permit, this.#parts, () => adapter.neutral, {
      ...{ timeoutMs, resendCount: 0, isNeutral: true },
    });
    return prober.timesForgotten === timesForgotten ? outcome : undefined;
  }

  async #isTokenReplaced(): Promise<boolean> {
    const { clock, credentials } = this.#parts;
    const replacing = credentials.ready();
    return replacing !== undefined && settlesWithin(clock, this.#options.deadlineMs, replacing).catch(() => false);
  }
}

/** A neutral question triggers no firewall, so an unnamed limit is the account's. */
function ofRefusal(problem: Problem): Finding {
  const finding = findingOf(problem);
  return finding === 'limited' ? 'second' : finding;
}
