/**
 * Grants permits to call. Never more calls in any second than the limit, as the upstream sees it.
 */
import type { WaitingFlow } from './flows.ts';

/** A permit for one call. Ends once, by the first of `done` and `giveBack`. */
export interface Permit {
  /** The flow it was granted to. */
  readonly flow: string;
  /** Whether the day's count already includes it, charged to the flow's team. */
  readonly isCounted: boolean;
  /** Ends the permit after the call. `gotPage`: whether the call brought a page. */
  done(gotPage: boolean): void;
  /** Returns the permit unused, as if it had never been granted. */
  giveBack(): void;
}

/** A permit as its demand gets it. */
export interface GrantedPermit extends Permit {
  /** The team that pays; empty for the account. */
  readonly team: string;
  /** How long the demand queued. */
  readonly waitedSeconds: number;
}

export type Answer =
  | { readonly kind: 'granted'; readonly permit: Permit }
  /** `ms`: when to ask again; infinite if nothing is queued, and no other instance's calls have to be read. */
  | { readonly kind: 'wait'; readonly ms: number };

export interface Permits {
  /** Whether it skips flows with a spent daily share. The asker then has to refuse what they queue. */
  readonly decidesDay: boolean;
  /** What other instances have queued, as far as known. */
  readonly elsewhere: readonly WaitingFlow[];
  /**
   * Asks for one permit for the queued flows; without flows, withdraws the last question. Returns without a promise if no
   * other process is needed. Never rejects.
   *
   * @param flows next in line first
   */
  ask(flows: readonly WaitingFlow[]): Answer | Promise<Answer>;
  /** Estimates the milliseconds until a call may start behind `ahead` others, at usual response times. */
  expectedMs(ahead: number): number;
  /**
   * Reports that the upstream was called too often: pauses all calls, then lowers the rate.
   *
   * @param pauseMs pause that the upstream asked for
   */
  complain(pauseMs: number): void;
}

export const nothingWaits: Answer = { kind: 'wait', ms: Number.POSITIVE_INFINITY };

/** Makes a permit that ends only once. */
export function permit(
  about: Pick<Permit, 'flow' | 'isCounted'>,
  ends: { readonly done: (gotPage: boolean) => void; readonly giveBack: () => void },
): Permit {
  let hasEnded = false;
  const once = (end: () => void) => {
    if (hasEnded) return;
    hasEnded = true;
    end();
  };
  return { ...about, done: (gotPage) => once(() => ends.done(gotPage)), giveBack: () => once(ends.giveBack) };
}
