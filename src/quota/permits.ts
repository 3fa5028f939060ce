/**
 * Permits: who may call now. Never more calls than the limit in any second, as the upstream sees it.
 */
import type { WaitingFlow } from './flows.ts';

/** A permit for one call. It ends once, by whichever of the two comes first. */
export interface Permit {
  /** The flow that it is for. */
  readonly flow: string;
  /** Whether it is counted as a call of the day already, on account of the flow's team. */
  readonly isCounted: boolean;
  /** The call has ended: with a page, or otherwise. */
  done(gotPage: boolean): void;
  /** No call is made: it is as if there had been no permit. */
  giveBack(): void;
}

export type Answer =
  | { readonly kind: 'granted'; readonly permit: Permit }
  /** `ms`: when to ask again; infinite where nothing waits. */
  | { readonly kind: 'wait'; readonly ms: number };

export interface Permits {
  /** Whether it passes over flows whose part of the day is spent: what waits in them has to be refused by who asks. */
  readonly decidesDay: boolean;
  /** What waits on other instances, as far as that is known. */
  readonly elsewhere: readonly WaitingFlow[];
  /**
   * Asks for one permit for what waits here; without flows, withdraws what was asked before. An answer that needs no other
   * process comes at once, and not as a promise. Never rejects.
   *
   * @param flows the next in line first
   */
  ask(flows: readonly WaitingFlow[]): Answer | Promise<Answer>;
  /** Milliseconds until a call may start behind `ahead` others, if answers come as fast as they usually do. */
  expectedMs(ahead: number): number;
  /**
   * The upstream says that it was called too often: no call starts for a while, then fewer than before.
   *
   * @param pauseMs for how long it asks to be left alone
   */
  complain(pauseMs: number): void;
}

export const nothingWaits: Answer = { kind: 'wait', ms: Number.POSITIVE_INFINITY };

/** A permit of which the end counts once. */
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
