/**
 * Makes pages from other cached pages without a call: `created_since` where the upstream does not filter, v2's form, or
 * another id of the same campaign.
 */
import type { Clock } from '../clock.ts';
import { type PageQuery, pageBehind } from '../model/page-query.ts';
import { newest, since } from '../model/report.ts';
import { reports } from '../model/reports.ts';
import { Problem } from '../problems.ts';
import type { Call } from '../quota/single-flight.ts';
import type { Fetched, Miss, Origin } from './fetched.ts';
import type { PageKeys } from './keys.ts';
import type { LookupAsk } from './lookup-decision.ts';
import { type Page, pageOf, tagOf } from './page.ts';
import { bodyFor, type PageFormat, rowsOf } from './page-format.ts';
import type { Lookup, Outcome } from './page-source.ts';

interface Parts {
  /** Looks up the source, charged to all callers of the view. */
  readonly lookUp: (source: PageQuery, ask: LookupAsk) => Promise<Lookup>;
  readonly goodForMs: (source: PageQuery) => number;
  readonly keys: PageKeys;
  readonly format: PageFormat;
  readonly filtersSince: boolean;
  readonly clock: Clock;
}

export class Views {
  readonly #parts: Parts;

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /**
   * Makes the view. It shares its source's age and is revalidated with it.
   *
   * @throws as a lookup of its source
   */
  async make({ query, maxAgeSeconds }: Miss, old: Page | undefined, call: Call): Promise<Fetched> {
    const { keys, format, filtersSince, clock } = this.#parts;
    const source = keys.sourceOf(query) ?? query;
    const { page, outcome } = await this.#lookUp(source, call, false, maxAgeSeconds);

    const held = await rowsOf(format, query.report, page);
    const { campaign, createdSince = '' } = query;
    const all = campaign === source.campaign ? held : held.map((row) => ({ ...row, campaign_id: campaign }));
    const isFiltered = !filtersSince && createdSince !== '';
    const report = reports[query.report];
    const whole = { rows: all, cursor: page.body.cursor };
    const { rows, cursor: following } = isFiltered ? since(report, createdSince, whole) : whole;
    const isLast = isFiltered && query.form === 'v2' && (await this.#isOver(createdSince, source, following, call));
    const cursor = isLast ? undefined : following;
    const { json, next } = format.render(query, { rows, cursor });
    const body = await bodyFor(format, { json, next, cursor, newestMs: newest(report, rows) }, tagOf(json), [
      old,
      page,
    ]);
    const forMs = this.#parts.goodForMs(source) || page.freshUntil - clock.monotonic();
    return { held: pageOf(body, page), origin: originOf(outcome), forMs };
  }

  #lookUp(source: PageQuery, { demand, signal }: Call, mayBeStale: boolean, maxAgeSeconds?: number): Promise<Lookup> {
    const { team, client, urgency } = demand;
    const ask = { team, client, urgency, signal, maxAgeSeconds };
    return this.#parts.lookUp(source, { ...ask, mayBeStale, onBehalfOf: demand });
  }

  /**
   * Whether a filtered walk ends at a cursor, since v2 ends without an empty last page. Looks up the page behind the cursor,
   * which the reader would request next; false if that page is unavailable.
   */
  async #isOver(createdSince: string, source: PageQuery, cursor: string | undefined, call: Call): Promise<boolean> {
    if (cursor === undefined) return false;
    try {
      const { page } = await this.#lookUp(pageBehind(source, cursor), call, true);
      const rows = await rowsOf(this.#parts.format, source.report, page);
      const left = since(reports[source.report], createdSince, { rows, cursor: page.body.cursor });
      return left.rows.length === 0 && left.cursor === undefined;
    } catch (error) {
      if (error instanceof Problem) return false;
      throw error;
    }
  }
}

function originOf(source: Outcome): Origin {
  if (source.kind === 'hit') return source.shared ? 'second-level' : 'held';
  return source.collapsed ? 'other-call' : 'call';
}
