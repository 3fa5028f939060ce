/**
 * Finds the sandbox's campaigns by any of their ids.
 */
import type { Campaign } from './campaign.ts';
import { activityIdOf, campaignIdOf } from './v3.ts';

export class Directory {
  readonly #campaigns = new Map<string, Campaign>();
  /** v2 ids by activity id and by campaign id. */
  readonly #byUuid = new Map<string, string>();

  add(campaign: Campaign): void {
    const { id, resendOf } = campaign.options;
    this.#campaigns.set(id, campaign);
    this.#byUuid.set(activityIdOf(id), id);
    if (resendOf === undefined) this.#byUuid.set(campaignIdOf(id), id);
  }

  /** All campaigns by v2 id, in the order of adding. */
  get all(): ReadonlyMap<string, Campaign> {
    return this.#campaigns;
  }

  /** Returns the v2 id for the UUID of an activity or a campaign. */
  v2IdOf(uuid: string): string | undefined {
    return this.#byUuid.get(uuid);
  }

  activity(activityId: string): Campaign | undefined {
    const id = this.#byUuid.get(activityId);
    return id !== undefined && activityIdOf(id) === activityId ? this.#campaigns.get(id) : undefined;
  }
}
