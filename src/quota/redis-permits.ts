/**
 * Grants permits shared by all instances through Redis: one limit per second and day, fair between teams wherever their
 * demands queue.
 *
 * Uses start-time fair queueing across instances: each one that asks sends its queue, and the permit goes to the flow with
 * the lowest start tag. If that flow is queued elsewhere, a message wakes its instance.
 */
import type { Clock } from '../clock.ts';
import type { DayBudget } from './day-budget.ts';
import { teamOf, type WaitingFlow } from './flows.ts';
import { type Answer, type Permit, type Permits, permit } from './permits.ts';
import type { SecondLimit } from './second-limit.ts';
import type { SharedQuota } from './shared-quota.ts';

/** Pause after a late reply of Redis. */
const askAgainMs = 20;
/** Interval at which the queue is announced to other instances, which forget it after twice that time. */
const announceEveryMs = 1_000;
/** Interval at which the other instances' calls of the day are read while nothing is queued here. */
const readEveryMs = 5_000;

interface Parts {
  readonly clock: Clock;
  readonly second: SecondLimit;
  readonly day: DayBudget;
  readonly shared: SharedQuota;
}

export class RedisPermits implements Permits {
  readonly decidesDay = true;
  readonly #parts: Parts;
  #elsewhere: { readonly flows: readonly WaitingFlow[]; readonly at: number } = { flows: [], at: 0 };
  /** Whether other instances still count this one's queue. */
  #isAnnounced = false;
  /** When Redis was asked last; monotonic. */
  #askedAt = Number.NEGATIVE_INFINITY;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Empty once outdated: while anything is queued here, it is refreshed every second. */
  get elsewhere(): readonly WaitingFlow[] {
    const { flows, at } = this.#elsewhere;
    return this.#parts.clock.monotonic() - at < 2 * announceEveryMs ? flows : [];
  }

  ask(flows: readonly WaitingFlow[]): Answer | Promise<Answer> {
    const own = flows.reduce((sum, { waiting }) => sum + waiting, 0);
    const { clock, second } = this.#parts;
    const now = clock.monotonic();
    const readInMs = this.#askedAt + readEveryMs - now;
    if (own === 0 && !this.#isAnnounced && readInMs > 0) return { kind: 'wait', ms: readInMs };
    const pausedMs = second.pausedMs(now);
    return pausedMs > 0 ? { kind: 'wait', ms: pausedMs } : this.#ask(flows, own);
  }

  expectedMs(ahead: number): number {
    const { clock, second } = this.#parts;
    return second.expectedMs(clock.monotonic(), ahead);
  }

  complain(pauseMs: number): void {
    const { clock, second, shared } = this.#parts;
    second.complain(clock.monotonic(), pauseMs);
    shared.complain(pauseMs);
  }

  async #ask(flows: readonly WaitingFlow[], own: number): Promise<Answer> {
    const { clock, second, day, shared } = this.#parts;
    const report = day.report(clock.now());
    const now = clock.monotonic();
    this.#isAnnounced = own > 0;
    this.#askedAt = now;
    const answer = await shared.ask({
      ...{ flows, day: report, perSecond: second.limit(now) },
      aloneMs: second.waitMs(now, shared.fraction),
    });
    // If Redis is down now, the next permits are local.
    if (!answer) return { kind: 'wait', ms: shared.isUp ? askAgainMs : 0 };
    const team = answer.kind === 'granted' ? teamOf(answer.flow) : undefined;
    day.reported(report, answer.teams, team, clock.now());
    day.unite();
    if (answer.kind === 'granted') {
      this.#isAnnounced = own > 1;
      return { kind: 'granted', permit: this.#permit(answer.flow, answer.call) };
    }
    this.#elsewhere = { flows: answer.elsewhere, at: clock.monotonic() };
    return { kind: 'wait', ms: own === 0 ? readEveryMs : Math.min(answer.ms, announceEveryMs) };
  }

  #permit(flow: string, call: string): Permit {
    const { clock, second, day, shared } = this.#parts;
    const slot = second.take(clock.monotonic(), call, shared.isUp ? undefined : shared.fraction);
    return permit(
      { flow, isCounted: true },
      {
        done: (gotPage) => shared.ended({ call, freeInMs: slot.end(clock.monotonic(), gotPage) }),
        giveBack: () => {
          slot.giveBack();
          day.giveBack(teamOf(flow));
          shared.giveBack(call, teamOf(flow), day.report(clock.now()));
        },
      },
    );
  }
}
