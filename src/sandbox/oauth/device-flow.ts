/**
 * Serves the device flow (RFC 8628): issues a code, and answers polls until the person has decided.
 */
import type { Clock } from '../../clock.ts';
import type { Fields } from './token-shape.ts';

/** Decision of the person at the other device. */
export type DeviceDecision = 'approve' | 'deny' | 'slow_down';

interface Pending {
  readonly code: string;
  readonly endsAt: number;
  polledAt: number;
  intervalMs: number;
  decision?: DeviceDecision;
}

/** Outcome of a poll: approved, or an error code of RFC 8628 §3.5. */
export type PollOutcome =
  | 'approved'
  | 'invalid_grant'
  | 'expired_token'
  | 'slow_down'
  | 'authorization_pending'
  | 'access_denied';

interface Options {
  /** Lifetime of a device code, and the interval between polls. */
  readonly deviceSeconds?: number;
  readonly intervalSeconds?: number;
}

export class DeviceFlow {
  readonly #options: Options;
  readonly #clock: Clock;
  #pending: Pending | undefined;

  constructor(options: Options, clock: Clock) {
    this.#options = options;
    this.#clock = clock;
  }

  decide(decision: DeviceDecision): void {
    if (this.#pending) this.#pending.decision = decision;
  }

  /** Issues a new device code, which replaces a pending one. Returns the response's fields. */
  begin(code: string): Fields {
    const { deviceSeconds = 600, intervalSeconds = 5 } = this.#options;
    this.#pending = {
      code,
      endsAt: this.#clock.now() + deviceSeconds * 1000,
      polledAt: Number.NEGATIVE_INFINITY,
      intervalMs: intervalSeconds * 1000,
    };
    return {
      device_code: code,
      user_code: 'SAND-BOXX',
      verification_uri: 'https://identity.example.com/activate',
      verification_uri_complete: 'https://identity.example.com/activate?user_code=SAND-BOXX',
      expires_in: deviceSeconds,
      interval: intervalSeconds,
    };
  }

  poll(code: string): PollOutcome {
    const pending = this.#pending;
    const now = this.#clock.now();
    if (pending?.code !== code) return 'invalid_grant';
    if (now >= pending.endsAt) return 'expired_token';
    const tooSoon = now - pending.polledAt < pending.intervalMs;
    pending.polledAt = now;
    if (tooSoon || pending.decision === 'slow_down') {
      if (pending.decision === 'slow_down') delete pending.decision;
      pending.intervalMs += 5_000; // RFC 8628 §3.5
      return 'slow_down';
    }
    if (pending.decision === undefined) return 'authorization_pending';
    this.#pending = undefined;
    return pending.decision === 'approve' ? 'approved' : 'access_denied';
  }
}
