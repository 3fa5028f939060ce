/**
 * Builds the cache keys. Every key starts with its walk: the activity's id and the resource.
 */
import type { OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { ResourceName } from '../model/resource.ts';
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
    ...[query.campaign, query.resource, query.since, query.filter, query.form],
    query.kind === 'first' ? query.limit : `next=${query.cursor}`,
  ].join('|');

/** By resource that is made from another: the one whose walk it belongs to. */
export type Sources = Readonly<Partial<Record<ResourceName, ResourceName>>>;

/** Keys are joined, not templates: V8 keeps all parts of a template alive. */
export class PageKeys {
  readonly #ids: OtherIds;
  readonly #generations: Generations;
  readonly #filtersSince: boolean;
  readonly #sources: Sources;

  /**
   * @param filtersSince whether the upstream supports `created_since`
   * @param sources of resources that are made from another
   */
  constructor(ids: OtherIds, generations: Generations, filtersSince: boolean, sources: Sources) {
    this.#ids = ids;
    this.#generations = generations;
    this.#filtersSince = filtersSince;
    this.#sources = sources;
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
    return { ...query, campaign, form: undefined, since: this.#filtersSince ? query.since : undefined };
  }

  #isView({ resource, campaign, since, form }: PageQuery, activity: string): boolean {
    if (form !== undefined || campaign !== activity || this.#sources[resource] !== undefined) return true;
    return !this.#filtersSince && since !== undefined;
  }

  /** A view belongs to the walk of its source. */
  #walkOf({ resource, since = '', filter }: PageQuery, activity: string): string {
    const source = this.#sources[resource];
    if (source !== undefined) return [activity, source].join('|');
    const walk = this.#filtersSince ? [activity, resource, since] : [activity, resource];
    return (filter === undefined ? walk : [...walk, filter]).join('|');
  }

  #textOf(query: PageQuery, activity: string, walk: string, generation: number): string {
    const { resource, campaign, since = '', filter = '', form = '' } = query;
    const askedAs = activity === campaign ? '' : ` ${campaign}`;
    const made = this.#sources[resource] === undefined ? '' : `${resource} ${filter} `;
    const view = `${made}${form}${this.#filtersSince && made === '' ? '' : since}${askedAs}`;
    if (query.kind === 'first') return [walk, view, query.limit].join('|');
    return [walk, view, generation, query.cursor].join('|');
  }
}
