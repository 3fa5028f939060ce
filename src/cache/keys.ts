/**
 * Builds the cache keys. Every key starts with its walk: the activity's id and the report.
 */
import type { OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Generations } from './generations.ts';

export interface PageKey {
  readonly text: string;
  readonly walk: string;
  readonly generation: number;
  /** Whether the page is made from another cached page, without a call. */
  readonly isView: boolean;
}

/** Returns the campaign of a walk, as the id that its rows are cached under. */
export const campaignOf = (walk: string) => walk.split('|', 1)[0] ?? '';

/** Whether a key or a walk belongs to this campaign; undefined matches all campaigns. */
export const isOfCampaign = (campaign: string | undefined) => (key: string) =>
  campaign === undefined || key.startsWith(`${campaign}|`);

/** Key of a page where walks and ids are unknown: the query as sent. */
export const questionKey = (query: PageQuery) =>
  [
    ...[query.campaign, query.report, query.createdSince, query.form],
    query.kind === 'first' ? query.limit : `next=${query.cursor}`,
  ].join('|');

export const summaryKey = (campaign: string) => `${campaign}|summary`;

/** Keys are joined, not templates: V8 keeps all parts of a template alive. */
export class PageKeys {
  readonly #ids: OtherIds;
  readonly #generations: Generations;
  readonly #filtersSince: boolean;

  /** @param filtersSince whether the upstream supports `created_since` */
  constructor(ids: OtherIds, generations: Generations, filtersSince: boolean) {
    this.#ids = ids;
    this.#generations = generations;
    this.#filtersSince = filtersSince;
  }

  /** Returns the key. Two spellings of one query share it. */
  of(query: PageQuery): PageKey {
    const activity = this.#ids.activityOf(query.campaign);
    const walk = this.#walkOf(query, activity);
    const { generation } = this.#generations.of(walk);
    return {
      text: this.#textOf(query, activity, walk, generation),
      walk,
      generation,
      isView: this.#isView(query, activity),
    };
  }

  /** Returns the query of the page that a view is made from; undefined if the upstream serves this query directly. */
  sourceOf(query: PageQuery): PageQuery | undefined {
    const campaign = this.#ids.activityOf(query.campaign);
    if (!this.#isView(query, campaign)) return undefined;
    return { ...query, campaign, form: undefined, createdSince: this.#filtersSince ? query.createdSince : undefined };
  }

  #isView({ campaign, createdSince, form }: PageQuery, activity: string): boolean {
    return form !== undefined || campaign !== activity || (!this.#filtersSince && createdSince !== undefined);
  }

  #walkOf({ report, createdSince = '' }: PageQuery, activity: string): string {
    return (this.#filtersSince ? [activity, report, createdSince] : [activity, report]).join('|');
  }

  #textOf(query: PageQuery, activity: string, walk: string, generation: number): string {
    const { campaign, createdSince = '', form = '' } = query;
    const askedAs = activity === campaign ? '' : ` ${campaign}`;
    const view = `${form}${this.#filtersSince ? '' : createdSince}${askedAs}`;
    if (query.kind === 'first') return [walk, view, query.limit].join('|');
    return [walk, view, generation, query.cursor].join('|');
  }
}
