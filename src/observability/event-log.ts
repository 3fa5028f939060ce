/**
 * The log lines of events: event; consequence. `docs/operations.md` lists them; a test compares that list with this table.
 */

import { explainTunnelCode } from '../config/tunnel-code.ts';
import type { EventFields, EventKey, Events } from '../events.ts';
import type { Logger } from './log.ts';

interface Line<K extends EventKey> {
  readonly level: 'info' | 'warn' | 'error';
  readonly message: string | ((fields: EventFields[K]) => string);
}

/** Events without a log line: metrics count them, or rooms listen to them. */
export type MeasuredEvent =
  | 'generation.moved'
  | 'cache.forgotten'
  | 'ids.learned'
  | 'redis.asked'
  | 'quota.waited'
  | 'storage.asked'
  | 'token.refresh_tried'
  | 'upstream.called'
  | 'upstream.odd_rows';

const info = <M>(message: M) => ({ level: 'info', message }) as const;
const warn = <M>(message: M) => ({ level: 'warn', message }) as const;
const error = <M>(message: M) => ({ level: 'error', message }) as const;

export const eventLines: { readonly [K in Exclude<EventKey, MeasuredEvent>]: Line<K> } = {
  'service.listening': info('listening'),
  'service.check_failed': warn(({ check, found, remedy }) => [`${check}: ${found}`, remedy].filter(Boolean).join('; ')),
  'service.draining': info('draining'),
  'service.stopped': info('stopped'),
  'service.unexpected_error': error('unexpected error'),

  'config.reloaded': info('configuration reloaded; in use from the next request'),
  'config.unchanged': info('configuration read again; it is the same as before'),
  'config.needs_restart': warn('settings changed that need a restart; keeping their present values until then'),
  'config.mended': info('configuration has no mistakes any more'),
  'config.invalid': error('configuration has mistakes; keeping the present one, all of it, until they are mended'),

  'config.warning': warn('configuration is odd but in use; see the warning'),
  'secret.replaced': info('secret replaced; used from the next call'),
  'secret.unreadable': error(
    ({ secret }) =>
      `secret file of ${secret} empty or unreadable; keeping the previous value until a restart (restore the file)`,
  ),
  'secret.readable': info(({ secret }) => `secret file of ${secret} readable again`),
  'secret.needs_restart': warn('secret changed; takes effect at the next start'),
  'secret.no_access_token': warn('no access token set; calling Constant Contact with the API key alone'),
  'encryption_keys.unreadable': error(
    'encryption key file empty or unreadable; keeping the previous keys until a restart (restore the file)',
  ),
  'encryption_keys.readable': info('encryption key file readable again'),

  'trust.broad': warn('whole networks are trusted as proxies; any host in them can pose as these teams'),
  'proxy.untrusted': warn(
    'header ignored from a peer that is not in server.trustProxy; its callers share one identity',
  ),
  'http.plain_writer': warn(
    'this version of Node formats HTTP responses differently; using the slower documented API for hits',
  ),

  'connections.full': warn(
    'connection limit reached; rejecting new connections until others close (raise server.maxConnections, or find out who holds them)',
  ),
  'connections.peer-full': warn(
    'one peer holds a quarter of the connections; rejecting more from it (if it is a proxy, name it in server.trustProxy; otherwise raise server.maxConnections)',
  ),
  'connections.stalled': warn(
    'reader took less than 240 bytes a second for exports.patienceSeconds; connection reset, its response is incomplete',
  ),

  'redis.available': info('redis available; sharing pages, quota and rate limits'),
  'redis.unavailable': warn(({ denied, instances }) => {
    const standalone = `running standalone on 1/${instances} of the quota until it is back`;
    return denied === undefined
      ? `redis unavailable; ${standalone}`
      : `redis access control denies ${denied}; ${standalone} (docs/operations.md lists what Sendgate needs)`;
  }),
  'redis.page_unreadable': warn(({ reason }) => `${unreadable[reason]}; fetching the page again`),

  'token.not_shared': warn(
    'neither client secret nor cache.encryptionKeyFile set; instances do not share tokens (give them one token file)',
  ),
  'token.renewed': info('access token renewed'),
  'token.replaced': info('new tokens found; calls resume'),
  'token.refresh_failed': warn('access token not renewed; retrying, and using the current one until it expires'),
  'token.missing': error('access token expired and not renewed; calls fail until a retry succeeds'),
  'token.refused': error(({ reason }) =>
    reason === 'no-refresh-token'
      ? 'no refresh token; run `npm run authorize` for the token file in use, or let another instance share its tokens through Redis'
      : 'refresh token refused by Constant Contact; run `npm run authorize`',
  ),

  'outbound_proxy.used': info('calling Constant Contact through a proxy'),
  'outbound_proxy.failed': error(
    ({ code, variable }) =>
      `proxy does not connect to Constant Contact; serving cached pages (${proxyTrouble(code, variable)})`,
  ),
  'outbound_proxy.recovered': info('proxy connects to Constant Contact again'),

  'upstream.call_failed': warn(
    'call to Constant Contact failed; retrying, or serving the cached page (a single failure needs nothing)',
  ),
  'upstream.down': error('Constant Contact is down (circuit open); serving cached pages and probing'),
  'upstream.up': info('Constant Contact is up again (circuit closed)'),
  'upstream.gone': error(({ api }) => `Constant Contact has withdrawn its API ${api}; ${goneRemedies[api]}`),
  'upstream.back': info(({ api }) => `Constant Contact's API ${api} answers again; calls resume`),
  'upstream.quota_spent': error("Constant Contact's daily quota is spent; serving cached pages until 00:00 UTC"),
  'upstream.quota_available': info('Constant Contact accepts calls again; daily quota available, calls resume'),
  'upstream.credentials_refused': error(
    ({ api }) => `credentials refused by Constant Contact; serving cached pages only (${credentialRemedies[api]})`,
  ),
  'upstream.credentials_accepted': info('credentials accepted by Constant Contact again; calls resume'),
  'upstream.access_denied': error(
    'Constant Contact denies access; the user who authorized Sendgate lacks the privilege ui:campaign:metrics ' +
      '(Owner and Account Manager have it, Campaign Creator does not): run `npm run authorize` as such a user',
  ),
  'upstream.odd_row': warn(
    ({ field }) =>
      `missing or malformed field in an answer of Constant Contact; ${field === 'link' ? 'dropping its unknown parameters' : 'keeping rows without it'}`,
  ),

  'quota.passed': warn(
    ({ percent }) =>
      `daily quota at ${percent} %; once it is spent, only cached pages are served until 00:00 UTC (calls: who spends it)`,
  ),
  'quota.team_spent': warn("a team's share of the daily quota is spent; borrowing calls that other teams leave unused"),
  'quota.team_refused': warn(({ limit }) => `${refusals[limit]}; its pages that are not cached get 503`),

  'storage.unavailable': warn(({ code }) => `storage unavailable; ${storageRemedies[code] ?? unkept}`),
  'storage.available': info('storage available again; pages are kept over a restart'),
  'storage.open_to_others': warn(
    "other users of this machine may read the storage directory; it holds people's addresses (chmod 700)",
  ),
  'storage.page_unreadable': warn(({ reason }) => `${unreadableFiles[reason]}; fetching the page again`),
  'storage.foreign_files': warn(
    'files in the storage directory that are not of Sendgate; they stay and are not counted',
  ),

  'quota.state_file_deprecated': warn(
    'quota.stateFile is deprecated; set storage.directory, whose first start takes over what the file holds',
  ),
  'state.unreadable': error('state file unreadable; counting the day from zero, without the calls made before'),
  'state.unwritable': error(
    'state file not written; a restart does not know the calls made from now on, and looks up new v3 ids again (code says why: mend the volume)',
  ),
  'state.writable': info('state file writable again; everything is saved'),
  'ids.dropped': warn('invalid ids in the state file dropped; looking them up again'),

  'cache.purged': info('cache purged'),

  'worker.died': error(
    ({ signal }) => `worker died; its connections are lost, starting another one${signal === 'SIGKILL' ? killed : ''}`,
  ),
  'worker.start_failed': error(
    'worker failed to start; fewer workers answer until a retry succeeds (stderr has the cause)',
  ),
};

const killed = ' (SIGKILL mostly means memory: lower cache.maxBytes or raise the limit)';

function proxyTrouble(code: string, variable: string): string {
  const { found, remedy } = explainTunnelCode(code, variable);
  return `it ${found}: ${remedy}`;
}

const unreadable = {
  'other-version': 'page in redis written by another version, or not encrypted as configured',
  'unknown-key': 'page in redis encrypted with a key that is not in cache.encryptionKeyFile',
  damaged: 'page in redis damaged',
} as const;

const refusals = {
  share: "a team's share of the daily quota is spent and other teams leave no calls to borrow now",
  cap: 'a team has reached its callsPerDay',
} as const;

const unkept = 'what is fetched now may be fetched again after a restart (code says why: mend the volume)';

const storageRemedies: Readonly<Record<string, string>> = {
  'in-use': 'another process uses the directory: running without it until a restart (give each instance its own)',
  ENOTSOCK:
    'running without it until a restart (remove what is named lock in the directory, and is no lock of Sendgate)',
  slow: 'the disk does not answer in time: fetching pages that are not in memory',
};

const unreadableFiles = {
  'other-version': 'page in storage written by another version, or not encrypted as configured',
  'unknown-key': 'page in storage encrypted with a key that is not in cache.encryptionKeyFile',
  damaged: 'page in storage damaged',
  foreign: 'something else in the place of a page in storage',
} as const;

const credentialRemedies = {
  v2: 'replace the API key or the access token',
  v3: 'let the application read campaign data, or run `npm run authorize`',
} as const;

const goneRemedies = {
  v2: 'serving cached pages: set CONSTANT_CONTACT_API=v3 and authorize, as docs/first-page-with-v3.md shows',
  v3: "serving cached pages: see Constant Contact's release notes for its successor, and upgrade Sendgate",
} as const;

/** Logs every event that has a line in the table. */
export function logEvents(events: Events, log: Logger): void {
  for (const key of Object.keys(eventLines) as (keyof typeof eventLines)[]) logEvent(events, log, key);
}

function logEvent<K extends keyof typeof eventLines>(events: Events, log: Logger, event: K): void {
  const { level, message }: Line<K> = eventLines[event];
  const text = typeof message === 'string' ? () => message : message;
  events.on(event, (fields) => log[level]({ event, ...(fields as object) }, text(fields)));
}
