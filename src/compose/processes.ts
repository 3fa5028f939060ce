/**
 * Builds the front: in this process, or in several workers with this process as their primary.
 */
import { randomBytes } from 'node:crypto';
import type { Front } from '../app/front.ts';
import type { PageCache } from '../cache/page-cache.ts';
import { teamOfClient } from '../callers/rate-limit/client-key.ts';
import { redisCounter } from '../callers/rate-limit/shared-counter.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Events } from '../events.ts';
import type { AccessLog } from '../observability/access-log.ts';
import type { LogDestination } from '../observability/log-destination.ts';
import type { StatusBoard } from '../observability/status.ts';
import { LocalExportSlots } from '../reports/export/slots.ts';
import { bytesOfPrimary } from '../workers/memory.ts';
import { WorkerPool } from '../workers/pool.ts';
import { buildFront } from './front.ts';
import type { SharedState } from './shared-state.ts';
import type { BuiltUpstream } from './upstream.ts';

interface Parts {
  readonly pages: PageCache;
  readonly clock: Clock;
  readonly events: Events;
  readonly version: string;
  readonly accessLog: AccessLog;
  readonly logDestination: LogDestination;
  readonly shared: SharedState;
  readonly built: BuiltUpstream;
  readonly status: StatusBoard;
}

interface BuiltProcesses {
  readonly front: Front;
  reconfigure(config: Config): void;
}

export function buildProcesses(config: Config, parts: Parts): BuiltProcesses {
  const { clock, events, version, accessLog, logDestination, pages, status } = parts;
  const { redis, digest } = parts.shared;
  const { quota, upstream } = parts.built;
  const exportSlots = new LocalExportSlots(config.exports.perTeam);
  const behind = {
    ...{ clock, pages, emit: events.emit },
    isAmple: () => quota.isAmple,
    onSeen: (client: string) => quota.seen(teamOfClient(client), client),
    sharedCounter: redis && redisCounter(redis, digest),
    partitionSalt: randomBytes(16).toString('hex'),
    exportSlots,
    readStatus: status.readPublic.bind(status),
  };
  const { campaignIds } = upstream.adapter;
  const bytesForResponses = (present: Config) => bytesOfPrimary(present).responsesBytes;
  const front =
    config.server.workers > 1
      ? new WorkerPool(config, { ...behind, events, logDestination })
      : buildFront(config, { ...behind, accessLog, version, campaignIds, bytesForResponses });
  events.on('cache.forgotten', ({ campaign }) => front.forget(campaign));
  return {
    front,
    reconfigure: (present) => {
      exportSlots.perTeam = present.exports.perTeam;
      front.reconfigure(present);
    },
  };
}
