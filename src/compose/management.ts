/**
 * Builds the management listener and its purge.
 */
import { managementListener, type Purged } from '../app/management.ts';
import type { PageCache } from '../cache/page-cache.ts';
import { allowHostsAndAddresses } from '../callers/host-guard.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import type { ConnectionLimits } from '../http/connections.ts';
import { type Server, serve } from '../http/server.ts';
import type { Health } from '../observability/health.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Status } from '../observability/status.ts';
import type { Usage } from '../observability/usage.ts';
import { Problem } from '../problems.ts';
import { parseCampaignId } from '../reports/query-string.ts';
import type { Upstream } from '../upstream/upstream.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly health: Health;
  readonly metrics: Metrics;
  readonly readStatus: () => Status;
  readonly usage: Usage;
  readonly upstream: Upstream;
  readonly pages: PageCache;
}

interface BuiltManagement {
  readonly management: Server;
  reconfigure(config: Config): void;
}

export function buildManagement(config: Config, parts: Parts): BuiltManagement {
  const { health, metrics, readStatus, usage, clock } = parts;
  let isAllowedHost = allowHostsAndAddresses(config.server.allowedHosts);
  const listener = managementListener({
    ...{ health, metrics, readStatus, purge: purgeOf(parts) },
    readUsage: () => usage.read(),
    isAllowedHost: (req) => isAllowedHost(req),
  });
  return {
    management: serve(listener, { ...config.server, ...limitsOf(config, clock) }),
    reconfigure: ({ server }) => {
      isAllowedHost = allowHostsAndAddresses(server.allowedHosts);
    },
  };
}

type Purge = (campaign: string | undefined) => Promise<Purged>;

function purgeOf({ upstream, pages, emit }: Pick<Parts, 'upstream' | 'pages' | 'emit'>): Purge {
  const { ids } = upstream;
  const { campaignIds } = upstream.adapter;
  return async (given) => {
    const campaign = given === undefined ? undefined : parseCampaignId('campaign', given, campaignIds);
    // The id may belong to an activity that is cached under another id, here or on another instance: look it up again.
    ids.doubt(campaign);
    const problem = campaign === undefined ? undefined : await problemOf(upstream.identify(campaign));
    const purged = await pages.purge(campaign);
    emit('cache.purged', { campaign, ...purged, problem: problem?.code });
    if (problem) throw new Problem(problem.code, { detail: notIdentified });
    return purged;
  };
}

const notIdentified =
  'Pages cached under this very id are purged. The lookup of its other ids failed, so pages cached under those remain: retry, or purge everything.';

async function problemOf(doing: Promise<void>): Promise<Problem | undefined> {
  try {
    await doing;
    return undefined;
  } catch (error) {
    if (error instanceof Problem) return error;
    throw error;
  }
}

/** Limits of the management listener: no limit per peer, since only operators use it. */
const limitsOf = ({ server, exports }: Config, clock: Clock): ConnectionLimits & { clock: Clock } => ({
  ...{ clock, maxConnections: server.maxConnections, maxPerPeer: server.maxConnections, peerOf: () => undefined },
  ...{ patienceMs: exports.patienceSeconds * 1000, onRejected: () => {}, onStalled: () => {} },
});
