/**
 * The ids of campaigns: v2's digits, and with v3 the UUIDs of campaigns and of their activities.
 */

/**
 * What ids mean the same activity. Rows are held once, under the activity's id; a page requested by another id is a view of it.
 */
export interface OtherIds {
  /** The id under which rows are held: that of the activity which `id` is known to mean, or `id` itself. Never two steps. */
  activityOf(id: string): string;
  /** All ids that are known to mean the same, `id` among them. */
  allOf(id: string): readonly string[];
  /** Whether something is known to have this id. */
  exists(id: string): boolean;
  /** Whether nothing is known to have this id, though its reports may be answered: empty. */
  isNowhere(id: string): boolean;
  /** Records that this is the id of an activity: there are rows under it, or a campaign lists it. */
  addActivity(id: string): void;
  /** Forgets that this id, or any, was found to mean nothing. What ids mean never changes, and is kept. */
  doubt(id?: string): void;
  /** The same, and that it is an activity's where only rows say so: what instances share may have been false. */
  forget(id?: string): void;
}

/** For v2, where a campaign has one id. */
export const noOtherIds: OtherIds = {
  activityOf: (id) => id,
  allOf: (id) => [id],
  exists: () => false,
  isNowhere: () => false,
  addActivity: () => {},
  doubt: () => {},
  forget: () => {},
};

/** Thrown instead of an answer when it has just become known that the id means another one, which has to be used instead. */
export class MeansAnotherId extends Error {
  override readonly name = 'MeansAnotherId';
}

/** Which campaign ids a caller may use. */
export interface CampaignIdRule {
  readonly pattern: RegExp;
  readonly allowed: string;
}

export const campaignIdRules: Readonly<Record<'v2' | 'v3', CampaignIdRule>> = {
  v2: { pattern: /^\d{1,20}$/, allowed: '1 to 20 digits, such as 1100394165287' },
  v3: {
    pattern: /^(\d{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/,
    allowed: 'the id of a campaign or of a campaign activity (UUIDs), or the 1 to 20 digits of a v2 campaign id',
  },
};
