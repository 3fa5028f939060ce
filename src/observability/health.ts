/**
 * What the probes are told. Only starting and draining take an instance out of rotation: held pages go on answering
 * while Constant Contact is down or refuses the key, and taking every instance out would help nobody. One whose workers
 * have all died is starting, until one of them is back.
 */
export type Phase = 'starting' | 'ready' | 'draining';

export interface Readiness {
  readonly status: 'starting' | 'ready' | 'degraded' | 'draining';
  readonly upstream: 'ok' | 'failing' | 'credentials-refused' | 'quota-exhausted' | 'gone';
}

/** What keeps Constant Contact from being asked, if anything. */
export interface UpstreamState {
  readonly gone: () => boolean;
  readonly credentialsRefused: () => boolean;
  readonly quotaExhausted: () => boolean;
  /** Whether it is down, or there is no token to call it with. */
  readonly isFailing: () => boolean;
}

export class Health {
  #phase: Phase = 'starting';
  readonly #state: UpstreamState;
  readonly #answering: () => number;

  /** @param answering the processes that answer callers */
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
    const upstream = this.#upstream();
    return { status: phase === 'ready' && upstream !== 'ok' ? 'degraded' : phase, upstream };
  }

  #upstream(): Readiness['upstream'] {
    if (this.#state.gone()) return 'gone';
    if (this.#state.credentialsRefused()) return 'credentials-refused';
    if (this.#state.quotaExhausted()) return 'quota-exhausted';
    return this.#state.isFailing() ? 'failing' : 'ok';
  }
}
