/** What is known of a campaign without reading its rows. */
export interface CampaignSummary {
  /**
   * Sends as Constant Contact counts them, which may lag behind its pages while a campaign goes out; null where it has no number
   * yet (with v3, until a campaign has gone out).
   */
  readonly sends: number | null;
}
