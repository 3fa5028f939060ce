/**
 * The device flow (RFC 8628): polls while a person allows access on another device.
 */
import type { Grant } from './token-answer.ts';
import { type DeviceCode, GrantError, type TokenEndpoint } from './token-endpoint.ts';

/** Added to the interval after each `slow_down` (RFC 8628 §3.5). */
const slowDownSeconds = 5;

/** Begins the flow. Retries, since a running Sendgate's refreshes may keep the endpoint busy. @throws GrantError */
export async function begin(
  endpoint: Pick<TokenEndpoint, 'deviceCode'>,
  wait: (seconds: number) => Promise<void>,
): Promise<DeviceCode> {
  for (let tries = 1; ; tries++) {
    try {
      return await endpoint.deviceCode();
    } catch (error) {
      if (!(error instanceof GrantError) || !error.isPassing || tries === 3) throw error;
      await wait(tries + Math.random());
    }
  }
}

/**
 * Polls until the person has decided.
 *
 * @param wait waits that many seconds; rejects to end the flow
 * @throws GrantError: `access_denied`, `expired_token`, or whatever else ends it
 */
export async function untilDecided(
  endpoint: Pick<TokenEndpoint, 'device'>,
  { deviceCode, intervalSeconds, expiresInSeconds }: DeviceCode,
  wait: (seconds: number) => Promise<void>,
): Promise<Grant> {
  let interval = intervalSeconds;
  for (let passed = 0; passed <= expiresInSeconds; passed += interval) {
    await wait(interval);
    try {
      return await endpoint.device(deviceCode);
    } catch (error) {
      if (!(error instanceof GrantError)) throw error;
      if (error.reason === 'slow_down') interval += slowDownSeconds;
      // A broken connection may work next time (§3.5): poll more slowly until the code expires.
      else if (error.isPassing) interval = Math.min(interval * 2, 60);
      else if (error.reason !== 'authorization_pending') throw error;
    }
  }
  throw new GrantError('expired_token');
}
