/**
 * Builds the guards, teams, addresses and rate limit of callers.
 */
import type { IncomingMessage } from 'node:http';
import { Addresses } from '../callers/address.ts';
import { BrowserGuard } from '../callers/browser-guard.ts';
import { Callers } from '../callers/callers.ts';
import { allowHosts, loopbackHosts } from '../callers/host-guard.ts';
import type { CallerRules } from '../callers/identify.ts';
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
}

export function buildCallers(config: Config, parts: Parts): BuiltCallers {
  const { clock, emit, isDropIn, partitionSalt, sharedCounter: shared, onSeen } = parts;
  const { basePath, trustProxy } = config.server;
  const { maxClients } = config.callers;
  const addresses = new Addresses(trustProxy, untrustedPeerWarning(emit));
  const callers = new Callers({
    limiter: new Limiter({ maxClients, clock, partitionSalt, shared, onSeen }),
    isOpen: sitePaths(basePath),
    takeForeignTokens: (req) => (isDropIn(req) ? takeCredentials(req) : undefined),
    rules: callerRules(config, addresses),
    addresses,
  });
  return { callers, addresses };
}

/** Builds what the configuration says about callers. */
export function callerRules({ server, callers, teams }: Config, addresses: Addresses): CallerRules {
  return {
    isAllowedHost: allowHosts([...loopbackHosts, ...server.allowedHosts]),
    browserGuard: new BrowserGuard(callers.cors.origins),
    teams: new Teams(teams, callers.required, addresses),
    requestsPerMinute: callers.requestsPerMinute,
  };
}
