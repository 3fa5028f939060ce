/**
 * Gauges: names, descriptions and sources.
 */
/** Read at every scrape. Booleans are 1 and 0. */
export interface Gauges {
  readonly cacheBytes: () => number;
  readonly cachePages: () => number;
  readonly quotaWaiting: () => number;
  readonly exportsRunning: () => number;
  readonly workers: () => number;
  readonly callsToday: () => number;
  readonly callsLeftToday: () => number;
  readonly secretsUnreadable: () => number;
  readonly tokenLifeSeconds: () => number;
  readonly instances: () => number;
  readonly redisDown: () => boolean;
  readonly isUntested: () => boolean;
  readonly storageDown: () => boolean;
  readonly storageBytes: () => number;
  readonly storagePages: () => number;
  readonly credentialsRefused: () => boolean;
  readonly gone: () => boolean;
  readonly quotaExhausted: () => boolean;
  readonly circuitOpen: () => boolean;
}

/** Gauges of each team's day. */
export const teamGauges = [
  ['sendgate_quota_team_calls_today', 'Calls made since 00:00 UTC, by team', 'calls'],
  ['sendgate_quota_team_part', "A team's guaranteed share of the daily quota", 'part'],
  ['sendgate_quota_team_borrowed', 'Calls that a team borrowed beyond its share since 00:00 UTC', 'borrowed'],
  ['sendgate_quota_team_available', 'Calls that a team can make now', 'available'],
] as const;

export const gaugeHelp: Readonly<Record<keyof Gauges, readonly [name: string, help: string]>> = {
  cacheBytes: ['sendgate_cache_bytes', 'Bytes held by the cache'],
  cachePages: ['sendgate_cache_pages', 'Pages held by the cache'],
  quotaWaiting: ['sendgate_quota_waiting', 'Calls queued for a permit'],
  exportsRunning: ['sendgate_exports_running', 'Exports in progress'],
  workers: ['sendgate_workers', 'Processes that serve callers'],
  callsToday: ['sendgate_quota_calls_today', 'Calls made since 00:00 UTC'],
  callsLeftToday: [
    'sendgate_quota_calls_left_today',
    "Calls left until 00:00 UTC; while Redis is unavailable, of this instance's fraction",
  ],
  secretsUnreadable: [
    'sendgate_secrets_unreadable',
    'Files of secrets and of encryption keys that cannot be used now; their previous values are in use until a restart, which fails',
  ],
  tokenLifeSeconds: ['sendgate_upstream_token_life_seconds', "Seconds until v3's access token expires; 0 without one"],
  instances: ['sendgate_instances', 'Instances that share pages and quota; 1 without Redis'],
  redisDown: ['sendgate_redis_down', '1 while Redis is configured but unavailable'],
  isUntested: ['sendgate_upstream_untested', '1 until the first answer of Constant Contact since start'],
  storageDown: ['sendgate_storage_down', '1 while storage is configured but unavailable'],
  storageBytes: ['sendgate_storage_bytes', 'Bytes of the disk that pages in storage take'],
  storagePages: ['sendgate_storage_pages', 'Pages in storage'],
  credentialsRefused: ['sendgate_upstream_credentials_refused', '1 while Constant Contact refuses the credentials'],
  gone: ['sendgate_upstream_gone', '1 while Constant Contact has withdrawn the API version in use'],
  quotaExhausted: [
    'sendgate_upstream_quota_exhausted',
    "1 while the daily quota is spent, by Sendgate's count or Constant Contact's word",
  ],
  circuitOpen: ['sendgate_upstream_circuit_open', '1 while the circuit is open: Constant Contact is down'],
};
