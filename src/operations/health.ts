/**
 * What the probes are told. Only starting and draining take an instance out of rotation: held pages go on answering
 * while Constant Contact is down or refuses the key, and taking every instance out would help nobody.
 */
export type Phase = 'starting' | 'ready' | 'draining';

export interface Readiness {
  readonly status: 'starting' | 'ready' | 'degraded' | 'draining';
  readonly upstream: 'ok' | 'failing' | 'credentials-refused' | 'quota-exhausted';
}

/** Calls in a row that have to fail before the upstream counts as failing. */
const failuresInARow = 3;

export class Health {
  phase: Phase = 'starting';
  readonly #gates: { readonly credentialsRefused: () => boolean; readonly quotaExhausted: () => boolean };
  #failures = 0;

  constructor(gates: { readonly credentialsRefused: () => boolean; readonly quotaExhausted: () => boolean }) {
    this.#gates = gates;
  }

  /** Told the outcome of every upstream call. An answer that says no is an answer: the upstream works. */
  upstreamCall(outcome: string): void {
    this.#failures = outcome === 'ok' || outcome.startsWith('http-4') ? 0 : this.#failures + 1;
  }

  readiness(): Readiness {
    const upstream = this.#gates.credentialsRefused()
      ? 'credentials-refused'
      : this.#gates.quotaExhausted()
        ? 'quota-exhausted'
        : this.#failures >= failuresInARow
          ? 'failing'
          : 'ok';
    return { status: this.phase === 'ready' && upstream !== 'ok' ? 'degraded' : this.phase, upstream };
  }
}
