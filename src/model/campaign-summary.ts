/**
 * Counts of a campaign, available without reading its rows.
 */
export interface CampaignSummary {
  /**
   * Sends as Constant Contact counts them; may lag behind its pages while a campaign goes out. Null if there is no number yet
   * (in v3, until a campaign has gone out).
   */
  readonly sends: number | null;
}
