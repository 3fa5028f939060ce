/**
 * Campaign ids: digits in v2, and with v3 also the UUIDs of campaigns and of their activities.
 */

/**
 * Maps ids that mean the same activity. Rows are cached once, under the activity's id; a page requested by another id is a
 * view of it.
 */
export interface OtherIds {
  /**
   * Returns the id that rows are cached under: that of the activity that `id` is known to mean, or `id` itself. Always one
   * step.
   */
  activityOf(id: string): string;
  /** Returns all ids known to mean the same, including `id`. */
  allOf(id: string): readonly string[];
  /** Whether an activity or campaign is known to have this id. */
  exists(id: string): boolean;
  /** Whether this is known to be the id of an activity. */
  isActivity(id: string): boolean;
  /** Whether the id is known to be unused, although its reports may return empty pages. */
  isNowhere(id: string): boolean;
  /** Records the id of an activity, proven by rows or by a campaign's list. */
  addActivity(id: string): void;
  /** Records the id of a campaign in the directory: its activity is looked up before its reports are requested. */
  addCampaign(id: string): void;
  /** Forgets that this id, or any, was found to be unused. Known meanings never change and stay. */
  doubt(id?: string): void;
  /** Like `doubt`, and also forgets activities known only from rows: pages shared by instances may have been false. */
  forget(id?: string): void;
}

/** For v2: a campaign has one id. */
export const noOtherIds: OtherIds = {
  activityOf: (id) => id,
  allOf: (id) => [id],
  exists: () => false,
  isActivity: () => false,
  isNowhere: () => false,
  addActivity: () => {},
  addCampaign: () => {},
  doubt: () => {},
  forget: () => {},
};

/** Thrown when a lookup reveals that the id means another one: retry with that. */
export class MeansAnotherId extends Error {
  override readonly name = 'MeansAnotherId';
}

/** Campaign ids that a caller may use. */
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
