/**
 * Builds the page cache, with Redis or the disk as second level if configured.
 */
import { Generations, maxWalks } from '../cache/generations.ts';
import { campaignOf } from '../cache/keys.ts';
import { PageCache, type PageCacheOptions } from '../cache/page-cache.ts';
import { RedisPageKeys } from '../cache/redis/redis-page-keys.ts';
import { type RedisPagesOptions, RedisSecondLevel } from '../cache/redis/redis-second-level.ts';
import { UnknownIds } from '../cache/unknown-ids.ts';
import { defaultTeam } from '../callers/teams.ts';
import { v2Recipes } from '../campaigns/v2-recipes.ts';
import { v3DateOf, v3Recipes } from '../campaigns/v3-recipes.ts';
import { type Clock, onceAMinute } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Events } from '../events.ts';
import { readRows, renderPage } from '../reports/page-json.ts';
import { bytesOfPrimary } from '../workers/memory.ts';
import { secondLevelOptions } from './second-level-options.ts';
import type { SharedState } from './shared-state.ts';
import type { BuiltSecondLevel, BuiltStorage } from './storage.ts';
import type { BuiltUpstream } from './upstream.ts';

interface Parts extends Pick<BuiltUpstream, 'upstream' | 'gates'> {
  readonly clock: Clock;
  readonly events: Events;
  readonly shared: SharedState;
  readonly storage: BuiltStorage;
}

/** Share of the cache for views: v3 has no `created_since`, and v2's form is a view too. Those of single campaigns are small. */
const partForViews = ({ constantContact, server }: Config) =>
  constantContact.api === 'v3' || server.dropInV2 ? 1 / 4 : 1 / 32;

interface BuiltCache {
  readonly pages: PageCache;
  reconfigure(config: Config): void;
}

export function buildCache(config: Config, parts: Parts): BuiltCache {
  const { clock, events, upstream, gates } = parts;
  const { emit } = events;
  const { basePath } = config.server;
  const { ids } = upstream;
  const unknownIds = new UnknownIds(clock, config.cache.notFoundSeconds, ids);
  const generations = new Generations(maxWalks, clock, (walk) =>
    emit('generation.moved', { campaign: campaignOf(walk) }),
  );
  const secondLevel = buildSecondLevel(config, { ...parts, generations });
  const pages = new PageCache(
    {
      ...{ clock, unknownIds, ids, generations, readRows },
      outageAt: () => gates.breaker.openedAt,
      fetchPage: (query, demand, signal) => upstream.fetchPage(query, demand, signal),
      render: (query, page) => renderPage(basePath, query, page),
      filtersSince: upstream.adapter.filtersSince,
      ...(config.constantContact.api === 'v3'
        ? { recipes: v3Recipes(ids), dateOf: v3DateOf(ids) }
        : { recipes: v2Recipes }),
      secondLevel: secondLevel?.level,
      onForgotten: (campaign) => emit('cache.forgotten', { campaign }),
    },
    pageOptions(config),
  );
  return {
    pages,
    reconfigure: (present) => {
      pages.reconfigure(pageOptions(present));
      secondLevel?.reconfigure(present);
    },
  };
}

function pageOptions(config: Config): PageCacheOptions {
  const { pagesBytes } = bytesOfPrimary(config);
  return { ...config.cache, maxBytes: pagesBytes, maxViewBytes: Math.floor(pagesBytes * partForViews(config)) };
}

function buildSecondLevel(
  config: Config,
  {
    clock,
    events,
    shared,
    storage,
    generations,
  }: Pick<Parts, 'clock' | 'events' | 'shared' | 'storage'> & { readonly generations: Generations },
): BuiltSecondLevel | undefined {
  const { redis, keyRing, pageDigest } = shared;
  if (!redis) return storage.buildPages(generations, keyRing);
  storage.removePages();
  const { namespace } = secondLevelOptions(config);
  const keys = new RedisPageKeys(
    { key: (name) => redis.key(name), digest: pageDigest, clock },
    { ...config.cache, namespace },
  );
  let teams = teamNames(config);
  const level = new RedisSecondLevel(
    {
      ...{ redis, generations, clock, keyRing, keys, isTeam: (name: string) => teams.has(name) },
      onUnreadable: onceAMinute(clock, (reason) => events.emit('redis.page_unreadable', { reason })),
    },
    redisOptions(config),
  );
  return {
    level,
    reconfigure: (present) => {
      teams = teamNames(present);
      level.reconfigure(redisOptions(present));
    },
  };
}

const teamNames = ({ teams }: Config) => new Set([...teams, defaultTeam].map(({ name }) => name));

const redisOptions = (config: Config): RedisPagesOptions => ({
  ...secondLevelOptions(config),
  maxWaitMs: config.constantContact.deadlineMs,
});
