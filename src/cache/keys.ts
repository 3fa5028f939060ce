/**
 * Under which keys pages are held. Every key begins with its walk's: the activity's id and the report.
 */
import type { OtherIds } from '../model/campaign-ids.ts';
import type { PageQuery } from '../model/page-query.ts';
import type { Generations } from './generations.ts';

export interface PageKey {
  readonly text: string;
  readonly walk: string;
  readonly generation: number;
  /** It is made out of another page, and costs no call. */
  readonly isView: boolean;
}

/** The campaign of a walk, by the id under which its rows are held. */
export const campaignOf = (walk: string) => walk.split('|', 1)[0] ?? '';

/** Whether a key, or a walk, is of this campaign; undefined is all campaigns. */
export const isOfCampaign = (campaign: string | undefined) => (key: string) =>
  campaign === undefined || key.startsWith(`${campaign}|`);

/** A page's key where nothing is known of walks and ids: the question as it is asked. */
export const questionKey = (query: PageQuery) =>
  [
    ...[query.campaign, query.report, query.createdSince, query.form],
    query.kind === 'first' ? query.limit : `next=${query.cursor}`,
  ].join('|');

export const summaryKey = (campaign: string) => `${campaign}|summary`;

/** Joined, keys are held in one piece: a template would hold all of its parts. */
export class PageKeys {
  readonly #ids: OtherIds;
  readonly #generations: Generations;
  readonly #filtersSince: boolean;

  /** @param filtersSince whether the upstream understands `created_since` */
  constructor(ids: OtherIds, generations: Generations, filtersSince: boolean) {
    this.#ids = ids;
    this.#generations = generations;
    this.#filtersSince = filtersSince;
  }

  /** Two spellings of one question have one key. */
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

  /** The question whose page a view is made of; undefined where the upstream can be asked for the page as it is. */
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
