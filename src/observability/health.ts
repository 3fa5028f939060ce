/**
 * Liveness and readiness. Only starting and draining take an instance out of rotation: while Constant Contact is down or
 * refuses the key, every instance still serves cached pages. An instance without a live worker counts as starting.
 */
export type Phase = 'starting' | 'ready' | 'draining';

/** `untested`: Constant Contact has not answered since the start, and no call has failed. */
export const upstreamConditions = [
  'ok',
  'untested',
  'failing',
  'credentials-refused',
  'quota-exhausted',
  'gone',
] as const;

export interface Readiness {
  readonly status: 'starting' | 'ready' | 'degraded' | 'draining';
  readonly upstream: (typeof upstreamConditions)[number];
}

/** Conditions that stop calls to Constant Contact, and whether it was ever reached. */
export interface UpstreamState {
  /** Whether Constant Contact has not answered yet. */
  readonly isUntested: () => boolean;
  readonly gone: () => boolean;
  readonly credentialsRefused: () => boolean;
  readonly quotaExhausted: () => boolean;
  /** Whether Constant Contact is down, has answered none of the calls since the start, or no access token is valid. */
  readonly isFailing: () => boolean;
}

export class Health {
  #phase: Phase = 'starting';
  readonly #state: UpstreamState;
  readonly #answering: () => number;

  /** @param answering counts the processes that answer callers */
  constructor(state: UpstreamState, answering: () => number) {
    this.#state = state;
    this.#answering = answering;
  }

  get phase(): Phase {
    return this.#phase === 'ready' && this.#answering() === 0 ? 'starting' : this.#phase;
  }

  set phase(phase: Phase) {
    this.#phase = phase;
  }

  readiness(): Readiness {
    const { phase } = this;
    const upstream = conditionOf(this.#state);
    const isWell = upstream === 'ok' || upstream === 'untested';
    return { status: phase === 'ready' && !isWell ? 'degraded' : phase, upstream };
  }
}

/** Returns the first condition that stops calls. */
export function conditionOf(state: UpstreamState): Readiness['upstream'] {
  if (state.gone()) return 'gone';
  if (state.credentialsRefused()) return 'credentials-refused';
  if (state.quotaExhausted()) return 'quota-exhausted';
  if (state.isFailing()) return 'failing';
  return state.isUntested() ? 'untested' : 'ok';
}
