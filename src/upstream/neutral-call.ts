/**
 * The neutral call: a question in which no caller has a part. Its answer tells whether a failure is one question's own, or
 * everybody's, and all gates hear of it.
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
  /** One call, in milliseconds. */
  readonly timeoutMs: number;
  /** Waiting for credentials or for a permit, each, in milliseconds. */
  readonly deadlineMs: number;
  /** Shortest time between two probes of whether the upstream is down. */
  readonly breakerProbeMs: number;
}

export interface NeutralCallParts extends CallParts {
  readonly adapter: Pick<Adapter, 'neutral'>;
  readonly clock: Clock;
  readonly quota: Pick<Quota, 'take' | 'complain'>;
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
   * What the call finds: the one that is being made, the last one, or a new one, on the account's own cost. Undefined when none
   * can be made.
   *
   * @param maxAgeMs how old an answer will do
   */
  find(maxAgeMs: number): Promise<Finding | undefined> {
    const { prober } = this.#parts;
    // That it failed, or met a limit, may be over in a moment.
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

  /** v3's token may have been ended before its time: what replaces it tells whether the credentials are taken. */
  async #askTwice(): Promise<CallOutcome<unknown> | undefined> {
    const outcome = await this.#ask();
    const isUnauthorized = outcome && 'problem' in outcome && outcome.problem.reason === 'http-401';
    if (!isUnauthorized || this.#parts.gates.credentials.isShut || !(await this.#isTokenReplaced())) return outcome;
    return this.#ask();
  }

  /** Undefined when the credentials were replaced meanwhile: the answer was to the old ones. */
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

/** What is known to be good meets no firewall's limit. */
function ofRefusal(problem: Problem): Finding {
  const finding = findingOf(problem);
  return finding === 'limited' ? 'second' : finding;
}
