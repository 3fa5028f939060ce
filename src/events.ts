/**
 * Events by stable keys. Rooms emit them and know nothing of the logs and metrics that listen.
 */

/** The fields of every event. Keys and fields never change: operators grep, chart and alert on them. */
export interface EventFields {
  'service.listening': { readonly url: string; readonly managementUrl: string; readonly version: string; node: string };
  /** A check of the doctor's, at start or with the first answer of Constant Contact. */
  'service.check_failed': { readonly check: string; readonly found: string; readonly remedy: string | undefined };
  'service.draining': None;
  'service.stopped': None;
  /** @property id of the request that failed, if any */
  'service.unexpected_error': { readonly err: unknown; readonly id?: string };

  /**
   * @property changed paths of the settings
   * @property teams names of those that were added, removed, changed or moved among those that stay; undefined unless `teams`
   *   changed
   */
  'config.reloaded': { readonly changed: readonly string[]; readonly teams: TeamChanges | undefined };
  'config.unchanged': None;
  /** A configuration without mistakes, after one with mistakes. */
  'config.mended': None;
  'config.needs_restart': { readonly settings: readonly string[] };
  /** @property mistakes without values */
  'config.invalid': { readonly mistakes: readonly string[] };

  /** @property warning names the variable, never its value */
  'config.warning': { readonly warning: string };
  'secret.replaced': { readonly secret: string };
  'secret.unreadable': { readonly secret: string; readonly reason: string };
  'secret.readable': { readonly secret: string };
  'secret.needs_restart': { readonly secret: string };
  'secret.no_access_token': None;
  'encryption_keys.unreadable': { readonly file: string; readonly reason: string };
  'encryption_keys.readable': { readonly file: string };

  'trust.broad': { readonly setting: string; readonly ranges: readonly string[]; readonly teams: readonly string[] };
  'proxy.untrusted': { readonly header: string; readonly peer: string; readonly setting: string };
  'http.plain_writer': { readonly node: string };

  'connections.full': { readonly maxConnections: number };
  'connections.peer-full': { readonly peer: string | undefined; readonly maxPerPeer: number };
  'connections.stalled': { readonly peer: string | undefined; readonly patienceSeconds: number };

  'redis.available': { readonly instances: number };
  /** @property denied command, key or channel that Redis's access control denies */
  'redis.unavailable': { readonly instances: number; readonly reason?: string; readonly denied?: string | undefined };
  'redis.page_unreadable': { readonly reason: 'other-version' | 'unknown-key' | 'damaged' };
  /** One round trip. */
  'redis.asked': { readonly script: string; readonly outcome: string; readonly seconds: number };

  'token.not_shared': None;
  'token.renewed': None;
  'token.replaced': None;
  'token.refresh_failed': { readonly reason: string | undefined; readonly file: string };
  'token.missing': { readonly reason: string | undefined; readonly file: string };
  'token.refused': { readonly reason: string | undefined };
  /** One attempt to refresh the access token, successful or not. */
  'token.refresh_tried': { readonly outcome: string };

  'outbound_proxy.used': { readonly proxy: string; readonly servers: readonly string[] };
  /** @property code what failed between Sendgate and the proxy, such as PROXY_407 (its status) or PROXY_ECONNREFUSED */
  'outbound_proxy.failed': { readonly proxy: string; readonly code: string; readonly variable: string };
  'outbound_proxy.recovered': { readonly proxy: string };

  'upstream.call_failed': CallFields;
  /** One call, successful or not. */
  'upstream.called': Pick<CallFields, 'report' | 'outcome' | 'seconds'> & {
    /** The team that paid, or `(account)`. */
    readonly team: string;
    readonly waitedSeconds: number;
  };
  'upstream.down': None;
  'upstream.up': None;
  'upstream.gone': { readonly api: Api; readonly guide: string | undefined };
  'upstream.back': { readonly api: Api };
  'upstream.quota_spent': None;
  'upstream.quota_available': None;
  'upstream.credentials_refused': { readonly api: Api };
  'upstream.credentials_accepted': None;
  'upstream.access_denied': { readonly privilege: string };
  /** The first odd row of each field. */
  'upstream.odd_row': {
    readonly report: string;
    readonly field: string;
    readonly campaign: string;
    readonly rows: number;
  };
  'upstream.odd_rows': { readonly field: string; readonly rows: number };

  'quota.passed': {
    readonly percent: number;
    readonly perDay: number;
    readonly calls: Readonly<Record<string, number>>;
  };
  'quota.team_spent': {
    readonly team: string;
    readonly calls: number;
    readonly part: number;
    readonly borrowed: number;
  };
  /** @property limit `share`: other teams lend no more calls than that; `cap`: the team's `callsPerDay` */
  'quota.team_refused': {
    readonly team: string;
    readonly limit: 'share' | 'cap';
    readonly calls: number;
    readonly part: number;
  };
  'quota.waited': { readonly team: string; readonly urgency: Urgency; readonly seconds: number };

  /** @property code Node's code of the failure, `in-use` by another process, or `slow` */
  'storage.unavailable': { readonly directory: string; readonly code: string };
  'storage.available': { readonly directory: string };
  'storage.open_to_others': { readonly directory: string; readonly mode: string };
  'storage.page_unreadable': { readonly reason: 'other-version' | 'unknown-key' | 'damaged' | 'foreign' };
  'storage.foreign_files': { readonly directory: string; readonly files: number };
  /** One operation on a page's file. */
  'storage.asked': { readonly operation: string; readonly outcome: string };

  'quota.state_file_deprecated': { readonly file: string };
  'state.unreadable': { readonly file: string; readonly code?: string | undefined };
  'state.unwritable': { readonly file: string; readonly code?: string | undefined };
  'state.writable': { readonly file: string };
  'ids.dropped': { readonly file: string; readonly dropped: number };

  /** The first page of a walk changed, which invalidates its later pages and all copies. */
  'generation.moved': { readonly campaign: string };
  /** Pages of a campaign, or of all campaigns, were dropped. */
  'cache.forgotten': { readonly campaign: string | undefined };
  /** Ids were resolved to activities, which invalidates pages cached under the ids themselves. */
  'ids.learned': { readonly ids: readonly string[] };

  'cache.purged': {
    readonly campaign: string | undefined;
    readonly pages: number;
    readonly everywhere: boolean;
    readonly problem: string | undefined;
  };

  'worker.died': { readonly worker: number; readonly code: number | null; readonly signal: string | null };
  'worker.start_failed': { readonly err: unknown };
}

interface TeamChanges {
  readonly added: readonly string[];
  readonly moved: readonly string[];
  readonly removed: readonly string[];
  readonly changed: readonly string[];
}

type None = Readonly<Record<never, never>>;
type Api = 'v2' | 'v3';
type Urgency = 'interactive' | 'refresh' | 'bulk';

interface CallFields {
  /** What the call was made for, from a closed set. */
  readonly report: string;
  readonly outcome: string;
  readonly seconds: number;
  /** Node's code of a connection failure. */
  readonly code?: string;
  /** Host and port of the proxy that did not connect. */
  readonly proxy?: string | undefined;
  /** Constant Contact's support looks the call up by it. */
  readonly upstreamRequestId?: string | undefined;
}

export type EventKey = keyof EventFields;

/** Emits an event. Never throws. */
export type Emit = <K extends EventKey>(event: K, fields: EventFields[K]) => void;

type Listener<K extends EventKey> = (fields: EventFields[K]) => void;

/** Calls the listeners of an event in the order of their registration. */
export class Events {
  readonly #listeners = new Map<EventKey, Listener<never>[]>();

  on<K extends EventKey>(event: K, listener: Listener<K>): void {
    const listeners = this.#listeners.get(event) ?? [];
    this.#listeners.set(event, [...listeners, listener]);
  }

  readonly emit: Emit = (event, fields) => {
    for (const listener of this.#listeners.get(event) ?? []) listener(fields as never);
  };
}
