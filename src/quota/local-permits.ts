/**
 * Grants permits locally: from the whole limit on a single instance, from this instance's fraction while Redis is down.
 */
import type { Clock } from '../clock.ts';
import type { WaitingFlow } from './flows.ts';
import { type Answer, nothingWaits, type Permits, permit } from './permits.ts';
import type { SecondLimit, Share } from './second-limit.ts';

interface Parts {
  readonly clock: Clock;
  readonly second: SecondLimit;
  /** This instance's fraction of the limit. Default: all. */
  readonly share?: () => Share;
  /** Names a call, to report it to other instances. */
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
    const { clock, second, share, nameCall, onEnded } = this.#parts;
    if (!first) return nothingWaits;
    const ms = second.waitMs(clock.monotonic(), share?.());
    if (ms > 0) return { kind: 'wait', ms };
    const call = nameCall?.() ?? '';
    const slot = second.take(clock.monotonic(), call, share?.());
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
    const { clock, second, share } = this.#parts;
    return second.expectedMs(clock.monotonic(), ahead, share?.());
  }

  complain(pauseMs: number): void {
    this.#parts.second.complain(this.#parts.clock.monotonic(), pauseMs);
  }
}
