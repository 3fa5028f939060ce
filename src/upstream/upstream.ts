/**
 * Constant Contact, as the rest of Sendgate sees it: ask for a page, get a page or a Problem.
 */
import { type Clock, sleep } from '../clock.ts';
import { Problem } from '../problems.ts';
import { endOfDay, quotaExhausted } from './day.ts';
import type { Credentials, Dialect, PageQuery, Refusal, SendsPage } from './dialect.ts';
import type { Gate } from './gate.ts';
import type { Quota } from './quota.ts';
import { ConnectionFailure, type Transport } from './transport.ts';

export interface UpstreamOptions {
  /** One exchange, in milliseconds. */
  readonly timeoutMs: number;
  /** Waiting for a turn, calling and calling again, all together, in milliseconds. */
  readonly deadlineMs: number;
  /** Calls after the first, for failures that may pass. */
  readonly retries: number;
}

/** What came of one call: `ok`, or the reason of its failure, out of a closed set. */
export type CallObserver = (outcome: string, seconds: number) => void;

interface Parts {
  readonly dialect: Dialect;
  readonly transport: Transport;
  readonly quota: Quota;
  /** Shut while the credentials are refused. */
  readonly credentialsGate: Gate;
  /** Shut while the day's quota is spent. */
  readonly dayGate: Gate;
  readonly credentials: Credentials;
  readonly clock: Clock;
  readonly observe: CallObserver;
}

/** The first pause before another call; it doubles, and half of it is jitter. */
const firstPauseMs = 200;

export class Upstream {
  readonly #parts: Parts;
  readonly #options: UpstreamOptions;

  constructor(parts: Parts, options: UpstreamOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get campaignIds(): Dialect['campaignIds'] {
    return this.#parts.dialect.campaignIds;
  }

  /**
   * Fetches one page, waiting for the quota and calling again where that helps, within one deadline.
   *
   * @param signal ends the wait for a turn; a call that has started is always heard out, since it is paid for
   * @throws Problem with any of the upstream codes
   */
  async fetchPage(query: PageQuery, signal?: AbortSignal): Promise<SendsPage> {
    const { clock, quota, credentialsGate, dayGate } = this.#parts;
    const deadline = clock.monotonic() + this.#options.deadlineMs;
    const left = () => deadline - clock.monotonic();

    let confirmed = false;
    for (let retries = 0; ; ) {
      credentialsGate.check();
      dayGate.check();
      await quota.take(left(), signal);
      const outcome = await this.#call(query, Math.min(this.#options.timeoutMs, left()));
      if ('sends' in outcome) {
        credentialsGate.open();
        dayGate.open();
        return outcome;
      }

      const { again } = outcome;
      const problem =
        outcome.problem.code === 'upstream-quota-exhausted' ? quotaExhausted(clock.now()) : outcome.problem;
      const pauseMs = firstPauseMs * 2 ** retries * (0.5 + Math.random() / 2);
      const canRetry = again === 'retry' && retries < this.#options.retries;
      const canConfirm = again === 'confirm' && !confirmed;
      if (!(canRetry || canConfirm) || left() <= pauseMs) {
        this.#shutGate(problem);
        throw problem;
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

  /** Some refusals hold for every call: the gate is shut, and those who wait for their turn are told at once. */
  #shutGate(problem: Problem): void {
    const { clock, quota, credentialsGate, dayGate } = this.#parts;
    if (problem.code === 'upstream-credentials-refused') credentialsGate.shut();
    else if (problem.code === 'upstream-quota-exhausted') dayGate.shut(endOfDay(clock.now()));
    else return;
    quota.refuseWaiting(problem);
  }

  /** One call. Whatever goes wrong comes back as a value, so that the loop above is the one place that decides. */
  async #call(query: PageQuery, timeoutMs: number): Promise<SendsPage | Refusal> {
    const { dialect, transport, credentials, clock, observe } = this.#parts;
    const started = clock.monotonic();
    const outcome = await (async (): Promise<SendsPage | Refusal> => {
      try {
        const reply = await transport.get(dialect.request(query, credentials), timeoutMs);
        if (reply.status !== 200) return dialect.refusal(reply.status, reply.body, query);
        return dialect.parse(reply.body);
      } catch (error) {
        if (error instanceof Problem) return { problem: error, again: 'never' };
        if (error instanceof ConnectionFailure) {
          return { problem: new Problem('upstream-failed', { reason: 'connection' }), again: 'retry' };
        }
        throw error;
      }
    })();
    observe(
      'sends' in outcome ? 'ok' : (outcome.problem.reason ?? outcome.problem.code),
      (clock.monotonic() - started) / 1000,
    );
    return outcome;
  }
}
