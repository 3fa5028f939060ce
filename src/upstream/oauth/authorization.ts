/**
 * Authorizes Sendgate once: a person allows it to read the account's campaigns, and the tokens go into the token file.
 */
import { type Clock, sleep } from '../../clock.ts';
import { nameOf, type OutboundProxy } from '../../config/outbound-proxy.ts';
import { explainTunnelCode, isTunnelCode } from '../../config/tunnel-code.ts';
import type { Transport } from '../transport.ts';
import { begin, untilDecided } from './device-flow.ts';
import { type FirstCall, tryOut } from './first-call.ts';
import { storeTokens } from './persist.ts';
import { refreshTokens } from './refresh.ts';
import { sha256, toStored } from './stored-tokens.ts';
import type { Grant } from './token-answer.ts';
import { GrantError, type OAuthClient, type TokenEndpoint } from './token-endpoint.ts';
import { readTokens } from './token-file.ts';

/** Output to the person. */
export interface Terminal {
  say(text: string): void;
  /** Replaces the previous waiting line. */
  waiting(text: string): void;
  succeed(text: string): void;
}

/** How the program ends: its exit code and its last message. */
export interface Ending {
  readonly code: 0 | 1;
  readonly text: string;
}

export interface AuthorizationParts {
  readonly client: OAuthClient;
  readonly endpoint: Pick<TokenEndpoint, 'deviceCode' | 'device'>;
  readonly transport: Pick<Transport, 'send'>;
  readonly tokenFile: string;
  /** The configured refresh token, so that the new tokens are not mistaken for its successors. */
  readonly configured: string | undefined;
  readonly clock: Clock;
  readonly terminal: Terminal;
}

/** The endpoint accepts one call a second (vendor's documentation). */
const betweenCallsMs = 1_000;

export class Authorization {
  readonly #parts: AuthorizationParts;
  #state: 'waiting' | 'storing' | 'stored' = 'waiting';

  constructor(parts: AuthorizationParts) {
    this.#parts = parts;
  }

  /** `storing`: access is granted but not on disk yet. That takes a moment and must not be cancelled. */
  get state(): 'waiting' | 'storing' | 'stored' {
    return this.#state;
  }

  /** Runs the flow. Never rejects for anything that Constant Contact or the person does. */
  async run(): Promise<Ending> {
    try {
      const grant = await this.#askPerson();
      this.#state = 'storing';
      return (await this.#store(grant)) ?? (await this.#tryOut(grant));
    } catch (error) {
      if (!(error instanceof GrantError)) throw error;
      return { code: 1, text: endings.get(error.reason) ?? otherEnding(error.reason, this.#parts.client.proxy) };
    }
  }

  /** @throws GrantError */
  async #askPerson(): Promise<Grant> {
    const { endpoint, terminal, clock } = this.#parts;
    const code = await begin(endpoint, (seconds) => sleep(clock, seconds * 1000));
    terminal.say(`\nOpen  ${code.verificationUri}\nand allow access if it shows the code  ${code.userCode}\n`);
    const expiresAt = clock.monotonic() + code.expiresInSeconds * 1000;
    return untilDecided(endpoint, code, async (seconds) => {
      const until = clock.monotonic() + seconds * 1000;
      for (let leftMs = seconds * 1000; leftMs > 0; leftMs = until - clock.monotonic()) {
        terminal.waiting(`Waiting for you, ${minutes(expiresAt - clock.monotonic())} left`);
        await sleep(clock, Math.min(1000, leftMs));
      }
    });
  }

  /** Stores the tokens. Returns an ending only on failure. */
  async #store(grant: Grant): Promise<Ending | undefined> {
    const { client, tokenFile, configured, terminal, clock } = this.#parts;
    const { refreshToken } = grant;
    if (refreshToken === undefined) {
      return { code: 1, text: 'No refresh token came: the application may not be used offline.' };
    }
    const beganWith = configured === undefined ? undefined : sha256(configured);
    const { clientId } = client;
    const tokens = toStored(grant, { clientId, refreshToken, beganWith, issuedAt: clock.now() });
    if (!(await storeTokens(tokenFile, tokens))) {
      return { code: 1, text: `The tokens could not be written to ${tokenFile}, and are lost. Run this again.` };
    }
    this.#state = 'stored';
    terminal.succeed(`Allowed. The tokens are in ${tokenFile}`);
    return undefined;
  }

  async #tryOut(grant: Grant): Promise<Ending> {
    const { transport, client } = this.#parts;
    let { accessToken, reason } = grant;
    if (accessToken === undefined) ({ accessToken, reason } = await this.#refresh());
    if (!accessToken) {
      return {
        code: 1,
        text: `The tokens include no usable access token yet (${reason}). They are stored: Sendgate requests one when it runs.`,
      };
    }
    return endingOf(await tryOut(accessToken, transport, client.timeoutMs));
  }

  /** Refreshes, for a grant without a usable access token. */
  async #refresh(): Promise<Pick<Grant, 'accessToken'> & { readonly reason?: string }> {
    const { client, tokenFile, configured, clock } = this.#parts;
    await sleep(clock, betweenCallsMs);
    const { outcome, reason } = await refreshTokens(
      { ...client, tokenFile, refreshToken: configured },
      { now: () => clock.now(), wait: (ms) => sleep(clock, ms) },
    );
    const accessToken = outcome === 'renewed' ? readTokens(tokenFile, client.clientId)?.accessToken : undefined;
    return { accessToken, ...(reason !== undefined && { reason }) };
  }
}

function minutes(ms: number): string {
  const seconds = Math.max(0, Math.round(ms / 1000));
  return `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, '0')}`;
}

/** Messages by reason, with what to do. */
const endings: ReadonlyMap<string, string> = new Map([
  ['access_denied', 'Access was denied. Nothing was stored. To try again, run this again.'],
  ['expired_token', 'The code has expired. Nothing was stored. Run this again, and open the address within its time.'],
  ['invalid_client', 'Constant Contact does not know this client: check CONSTANT_CONTACT_CLIENT_ID.'],
  [
    'unauthorized_client',
    "The application may not use the device flow: choose it in the application's settings at Constant Contact.",
  ],
]);

function otherEnding(reason: string, proxy: OutboundProxy | undefined): string {
  if (!proxy || !isTunnelCode(reason)) return `Constant Contact granted nothing (${reason}). Nothing was stored.`;
  const { found, remedy } = explainTunnelCode(reason, proxy.variable);
  return `The proxy ${nameOf(proxy)} ${found}: ${remedy}. Nothing was stored.`;
}

/** The vendor's documentation allows Owner and Manager, not a Campaign Creator. */
const noReports =
  'The user who allowed access may not read reports (a Campaign Creator may not), and Constant Contact will refuse all of them. ' +
  "The tokens are stored all the same. Run this again, and allow access as the account's Owner or as an Account Manager.";

function endingOf(call: FirstCall): Ending {
  switch (call.outcome) {
    case 'works':
      return { code: 0, text: 'It works: Constant Contact answers.' };
    case 'untried':
      return { code: 0, text: 'The tokens are stored. Constant Contact gave no answer to try them with.' };
    case 'no-reports':
      return { code: 1, text: noReports };
    case 'refused':
      return {
        code: 1,
        text: `Constant Contact refuses the first call (${call.status}): check that the application and its user may read campaigns. The tokens are stored.`,
      };
  }
}
