/**
 * The last time, or number, of something that happens to campaigns, in bounded memory.
 */
import { LRUCache } from 'lru-cache';

/** Campaigns remembered. */
const maxCampaigns = 50_000;

export class LastByCampaign {
  /** An evicted one applies to all campaigns. */
  readonly #last = new LRUCache<string, number>({
    max: maxCampaigns,
    dispose: (last, _, reason) => {
      if (reason === 'evict') this.#ofAll = Math.max(this.#ofAll, last);
    },
  });
  #ofAll = Number.NEGATIVE_INFINITY;

  /** Records that it has happened to a campaign, or to all (undefined). `last` only rises. */
  set(campaign: string | undefined, last: number): void {
    if (campaign === undefined) this.#ofAll = last;
    else this.#last.set(campaign, last);
  }

  /** Returns the last one; minus infinity without any. */
  of(campaign: string): number {
    return Math.max(this.#ofAll, this.#last.get(campaign) ?? Number.NEGATIVE_INFINITY);
  }
}
