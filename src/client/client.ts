/**
 * A client for Sendgate in browsers and Node. Needs only `fetch`.
 *
 *     const client = createClient({ baseUrl: 'https://sendgate.example.com' });
 *     for await (const { id, name } of client.campaigns({ status: 'SENT' })) {
 *       const { sends, opens } = await client.summary(id);
 *       console.log(name, sends, opens);
 *       for await (const open of client.report(id, 'opens', { createdSince: '2026-01-01' })) console.log(open.email_address);
 *     }
 */
import {
  type Campaign,
  type CampaignDetails,
  type Link,
  type Rows,
  reportNames,
  type Send,
  type Status,
  type Summary,
} from './api.ts';
import { type ClientOptions, type RequestOptions, requests } from './requests.ts';
import { walkDirectory, walkReport } from './walks.ts';

export * from './api.ts';
export { type ProblemCode, SendgateError } from './errors.ts';
export type { ClientOptions, RequestOptions } from './requests.ts';

export type ReportName = keyof Rows;

/** Options of every report. */
export interface SendsOptions extends RequestOptions {
  /** Only rows on or after this instant. A text is an ISO-8601 date, or a date-time with `Z` or an offset. */
  readonly createdSince?: Date | string | undefined;
}

export interface ClicksOptions extends SendsOptions {
  /** Only clicks on this link, by its `link_id` in `links`. */
  readonly linkId?: string | undefined;
}

/** Options of one report: `linkId` is for clicks only. */
export type ReportOptions<Name extends ReportName> = Name extends 'clicks' ? ClicksOptions : SendsOptions;

export interface CampaignsOptions extends RequestOptions {
  /** Only campaigns in this state. Deleted ones are listed with `DELETED` or `ALL` only. */
  readonly status?: 'ALL' | 'DRAFT' | 'RUNNING' | 'SENT' | 'SCHEDULED' | 'DELETED' | undefined;
  /** Only campaigns changed on or after this instant, as `createdSince`. */
  readonly modifiedSince?: Date | string | undefined;
}

/** Further options of pages. */
export interface PageOptions {
  /** Rows a page, up to 500 of a report and 50 of the directory, which are the defaults. */
  readonly limit?: number | undefined;
  /**
   * The `next` of a page, to continue after it with its filters; `limit` and filters given here are ignored. It may lack
   * Sendgate's origin; another origin is refused.
   */
  readonly from?: string | undefined;
}

export interface PagesOptions extends SendsOptions, PageOptions {}

/** A page and its headers. */
export interface ReceivedPage<Row> {
  readonly rows: readonly Row[];
  /** Whether Sendgate's cache answered (RFC 9211), e.g. `sendgate; hit; ttl=41`. */
  readonly cacheStatus: string;
  /** Seconds since the page was fetched from Constant Contact. */
  readonly ageSeconds: number;
  /** The address of this page, and of the next one; undefined on the last page. */
  readonly url: string;
  readonly next: string | undefined;
}

/** A page of sends, with its rows under their own name, too. */
export interface ReceivedSends extends ReceivedPage<Send> {
  readonly sends: readonly Send[];
}

/**
 * Every method takes the `id` of a campaign as in the directory, and throws SendgateError when Sendgate refuses, when its errors
 * outlast `patienceSeconds`, or when something else answers; TypeError when it is unreachable, or, before any request, when no
 * request can have the id, report, date, `from` or token; the signal's reason when aborted. Walks request a page when its first
 * row is read.
 */
export interface Client {
  /** All rows of a report, newest first, each once. Rows that arrive meanwhile are left out. */
  report<Name extends ReportName>(
    campaign: string,
    report: Name,
    options?: ReportOptions<Name>,
  ): AsyncGenerator<Rows[Name], void, undefined>;
  /** All rows, page by page. If new rows arrive meanwhile, a page can repeat rows of an earlier one. */
  reportPages<Name extends ReportName>(
    campaign: string,
    report: Name,
    options?: ReportOptions<Name> & PageOptions,
  ): AsyncGenerator<ReceivedPage<Rows[Name]>, void, undefined>;
  /** `report(campaign, 'sends', options)` */
  sends(campaign: string, options?: SendsOptions): AsyncGenerator<Send, void, undefined>;
  /** `reportPages(campaign, 'sends', options)` */
  pages(campaign: string, options?: PagesOptions): AsyncGenerator<ReceivedSends, void, undefined>;
  /**
   * All campaigns of the account, each once, as it was when it was read; most are in the order of their last change, the latest
   * first. A campaign that changes meanwhile is not missed; the walk may wait a minute for it at the end, but no longer than
   * `patienceSeconds`. If one is deleted meanwhile, or changes to another `status` than the one asked for, another can be missed.
   */
  campaigns(options?: CampaignsOptions): AsyncGenerator<Campaign, void, undefined>;
  /** The same page by page. If campaigns change meanwhile, pages can repeat some and miss others. */
  campaignPages(options?: CampaignsOptions & PageOptions): AsyncGenerator<ReceivedPage<Campaign>, void, undefined>;
  /** One campaign: what the directory has, and its subject, sender, date of creation and activities. */
  campaign(campaign: string, options?: RequestOptions): Promise<CampaignDetails>;
  /** The counts of a campaign, and the instant at which they were right; null where Constant Contact has no number yet. */
  summary(campaign: string, options?: RequestOptions): Promise<Summary>;
  /** The links in a campaign, with their clicks, most clicked first. */
  links(campaign: string, options?: RequestOptions): Promise<readonly Link[]>;
  /** The current state of Sendgate: quota, teams and queues. */
  status(options?: RequestOptions): Promise<Status>;
}

/** The JSON of a page. */
interface PageBody<Row> {
  readonly meta: { readonly pagination: { readonly next_link?: string } };
  readonly results: readonly Row[];
}

/**
 * Creates a client for the Sendgate at `baseUrl`. It holds no state but its options, and whether Sendgate has answered.
 *
 * @throws TypeError if `baseUrl` is no web address, or has a query, a fragment or credentials
 */
export function createClient(options: ClientOptions): Client {
  const { baseUrl, patienceSeconds } = options;
  const get = requests(options);
  const root = rootOf(baseUrl);
  const urlOf = (path: string) => new URL(path, root).href;

  /** Resolves the link to a page; undefined if it leads to another origin, which must not get the token. */
  function pageUrl(link: string): string | undefined {
    try {
      const url = new URL(link, root);
      return url.origin === root.origin ? url.href : undefined;
    } catch {
      return undefined;
    }
  }

  function isPage<Row>(body: unknown): body is PageBody<Row> {
    const pagination = Object(body).meta?.pagination;
    if (!hasResults(body) || Object(pagination) !== pagination) return false;
    const { next_link: next } = pagination;
    return next === undefined || (typeof next === 'string' && pageUrl(next) !== undefined);
  }

  async function getPage<Row>(
    url: string,
    options: RequestOptions,
    further?: Record<string, string>,
  ): Promise<ReceivedPage<Row>> {
    const { body, headers } = await get(url, isPage<Row>, options, further);
    const next = body.meta.pagination.next_link;
    return {
      rows: body.results,
      cacheStatus: headers.get('cache-status') ?? '',
      ageSeconds: Number(headers.get('age') ?? 0),
      url,
      next: next === undefined ? undefined : pageUrl(next),
    };
  }

  /**
   * @param first path of the first page
   * @param headers of the request for the first page
   */
  async function* follow<Row>(
    first: () => string,
    options: RequestOptions & PageOptions,
    headers?: Record<string, string>,
  ) {
    const url = pageUrl(options.from ?? first());
    if (url === undefined) throw new TypeError(`from is not a page of ${root.href}: ${options.from}`);
    let page = await getPage<Row>(url, options, headers);
    yield page;
    while (page.next !== undefined) {
      page = await getPage<Row>(page.next, options);
      yield page;
    }
  }

  const reportPages: Client['reportPages'] = (campaign, report, options = {}) => {
    const { createdSince, linkId, limit }: ClicksOptions & PageOptions = options;
    const query = { created_since: createdSince, link_id: linkId, limit };
    return follow(() => `${pathOf(campaign)}/${nameOf(report)}${search(query)}`, options);
  };

  async function* pages(campaign: string, options?: PagesOptions): AsyncGenerator<ReceivedSends, void, undefined> {
    for await (const page of reportPages(campaign, 'sends', options)) yield { ...page, sends: page.rows };
  }

  function campaignPages(options: CampaignsOptions & PageOptions = {}, headers?: Record<string, string>) {
    const { status, modifiedSince, limit } = options;
    const query = { status, modified_since: modifiedSince, limit };
    return follow<Campaign>(() => `campaigns${search(query)}`, options, headers);
  }

  /** @param isBody whether a body is Sendgate's */
  async function getBody<T>(path: string, isBody: (body: unknown) => body is T, options: RequestOptions = {}) {
    return (await get(urlOf(path), isBody, options)).body;
  }

  return {
    report: (campaign, report, options) => walkReport(reportPages(campaign, report, options), options?.signal),
    reportPages,
    sends: (campaign, options) => walkReport(reportPages(campaign, 'sends', options), options?.signal),
    pages,
    campaigns: (options) =>
      walkDirectory({
        pages: () => campaignPages(options),
        pagesAnew: () => campaignPages(options, { 'cache-control': 'no-cache' }),
        patienceSeconds,
        signal: options?.signal,
      }),
    campaignPages,
    campaign: async (campaign, options) => getBody(pathOf(campaign), has<CampaignDetails>('id'), options),
    summary: async (campaign, options) => getBody(`${pathOf(campaign)}/summary`, has<Summary>('campaign_id'), options),
    links: async (campaign, options) => (await getBody(`${pathOf(campaign)}/links`, hasResults<Link>, options)).results,
    status: (options) => getBody('status', has<Status>('upstream'), options),
  };
}

/** Sendgate's address, with a slash at its end. @throws TypeError: with a wrong one, Sendgate would seem to be down */
function rootOf(baseUrl: string | URL): URL {
  const address = `${String(baseUrl).replace(/\/+$/, '')}/`;
  let root: URL | undefined;
  try {
    root = new URL(address, globalThis.location?.href);
  } catch {} // Not an address at all.
  if (!root || !/^https?:$/.test(root.protocol)) {
    throw new TypeError('baseUrl is not a web address, such as https://sendgate.example.com or, in a page, /ctct');
  }
  if (root.search || root.hash || root.username || root.password) {
    throw new TypeError('baseUrl has a query, a fragment or credentials');
  }
  return root;
}

/** @throws TypeError if there is no such path: it would be that of another resource, or none */
function pathOf(campaign: string): string {
  if (/^\.{0,2}$|\p{Surrogate}/u.test(campaign))
    throw new TypeError(`no campaign has the id ${JSON.stringify(campaign)}`);
  return `campaigns/${encodeURIComponent(campaign)}`;
}

/** @throws TypeError if there is no such report, as a program without types may ask for any */
function nameOf(report: ReportName): ReportName {
  if (reportNames.includes(report)) return report;
  throw new TypeError(`no report has the name ${JSON.stringify(report)}, only ${reportNames.join(', ')}`);
}

/** Tells the bodies with a property, which all of Sendgate's have. */
const has =
  <T>(property: keyof T) =>
  (body: unknown): body is T =>
    property in Object(body);

const hasResults = <Row>(body: unknown): body is { readonly results: readonly Row[] } =>
  Array.isArray(Object(body).results);

/** A query string with its `?`; empty if no value is defined. @throws TypeError for an invalid date */
function search(values: Readonly<Record<string, Date | string | number | undefined>>): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(values)) {
    if (value === undefined) continue;
    if (value instanceof Date && Number.isNaN(value.getTime())) throw new TypeError(`${name} is an invalid Date`);
    query.set(name, value instanceof Date ? value.toISOString() : String(value));
  }
  return query.size === 0 ? '' : `?${query}`;
}
