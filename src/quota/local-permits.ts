/**
 * Permits that this instance grants by itself: of the whole limit where it is the only one, of its fraction while Redis is down.
 */
import type { Clock } from '../clock.ts';
import type { WaitingFlow } from './flows.ts';
import { type Answer, nothingWaits, type Permits, permit } from './permits.ts';
import type { Fraction, SecondLimit } from './second-limit.ts';

interface Parts {
  readonly clock: Clock;
  readonly second: SecondLimit;
  /** What it takes of the limit; all of it without. */
  readonly fraction?: () => Fraction;
  /** Names a call, for the report to the other instances. */
  readonly nameCall?: () => string;
  /** Called with the milliseconds that an ended call still counts. */
  readonly onEnded?: (call: string, freeInMs: number) => void;
}

export class LocalPermits implements Permits {
  readonly decidesDay = false;
  readonly elsewhere: readonly WaitingFlow[] = [];
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  ask([first]: readonly WaitingFlow[]): Answer {
    const { clock, second, fraction, nameCall, onEnded } = this.#parts;
    if (!first) return nothingWaits;
    const ms = second.waitMs(clock.monotonic(), fraction?.());
    if (ms > 0) return { kind: 'wait', ms };
    const call = nameCall?.() ?? '';
    const slot = second.take(clock.monotonic(), call, fraction?.());
    return {
      kind: 'granted',
      permit: permit(
        { flow: first.name, isCounted: false },
        {
          done: (gotPage) => {
            const freeInMs = slot.end(clock.monotonic(), gotPage);
            onEnded?.(call, freeInMs);
          },
          giveBack: () => slot.giveBack(),
        },
      ),
    };
  }

  expectedMs(ahead: number): number {
    const { clock, second, fraction } = this.#parts;
    return second.expectedMs(clock.monotonic(), ahead, fraction?.());
  }

  complain(pauseMs: number): void {
    this.#parts.second.complain(this.#parts.clock.monotonic(), pauseMs);
  }
}
