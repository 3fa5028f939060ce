/**
 * Builds the guards, teams, addresses and rate limit of callers.
 */
import type { IncomingMessage } from 'node:http';
import { Addresses } from '../callers/address.ts';
import { BrowserGuard } from '../callers/browser-guard.ts';
import { Callers } from '../callers/callers.ts';
import { allowHosts, loopbackHosts } from '../callers/host-guard.ts';
import { Limiter } from '../callers/rate-limit/limiter.ts';
import type { SharedCounter } from '../callers/rate-limit/shared-counter.ts';
import { Teams } from '../callers/teams.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { takeCredentials } from '../reports/v2-compat/drop-in-requests.ts';
import { sitePaths } from '../site/site.ts';
import { untrustedPeerWarning } from './trusted-proxies.ts';

export interface LimiterParts {
  /** Salt of the client keys in `RateLimit-Policy`, the same in all processes. */
  readonly partitionSalt: string;
  /** Counts the requests of all processes; undefined for a single process. */
  readonly sharedCounter: SharedCounter | undefined;
  /** Called with a client's key once a minute while it sends requests. */
  readonly onSeen: (key: string) => void;
}

interface Parts extends LimiterParts {
  /** Whether a request is for v2's API, so that its credentials are Constant Contact's. */
  readonly isDropIn: (req: IncomingMessage) => boolean;
  readonly clock: Clock;
  readonly emit: Emit;
}

export interface BuiltCallers {
  readonly callers: Callers;
  readonly addresses: Addresses;
  readonly teams: Teams;
}

export function buildCallers({ server, callers: options, teams: configured }: Config, parts: Parts): BuiltCallers {
  const { clock, emit, isDropIn, partitionSalt, sharedCounter: shared, onSeen } = parts;
  const { maxClients, requestsPerMinute } = options;
  const addresses = new Addresses(server.trustProxy, untrustedPeerWarning(emit));
  const teams = new Teams(configured, options.required, addresses);
  const callers = new Callers({
    isAllowedHost: allowHosts([...loopbackHosts, ...server.allowedHosts]),
    browserGuard: new BrowserGuard(options.cors.origins),
    limiter: new Limiter({ maxClients, clock, partitionSalt, shared, onSeen }),
    isOpen: sitePaths(server.basePath),
    takeForeignTokens: (req) => (isDropIn(req) ? takeCredentials(req) : undefined),
    ...{ addresses, teams, requestsPerMinute },
  });
  return { callers, addresses, teams };
}
