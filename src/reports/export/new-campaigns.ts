/**
 * Drops campaigns that earlier pages of the walk contained, even if they have changed since.
 */
import type { CampaignRow } from '../../model/directory.ts';

/** More than the directory has with v3, whose pages are counted. */
const maxCampaigns = 100_000;

export class NewCampaigns {
  readonly #seen = new Set<string>();

  /** Whether there are more than an account has: the list may have no end. */
  get isEndless(): boolean {
    return this.#seen.size > maxCampaigns;
  }

  /** Number of campaigns so far. */
  get count(): number {
    return this.#seen.size;
  }

  /** Returns the new rows of a page, a JSON array like `rows`; `[]` without any. Keeps rows whose id is unreadable. */
  of(rows: string): string {
    const fresh = (JSON.parse(rows) as readonly CampaignRow[]).filter(({ id }) => id === '' || !this.#seen.has(id));
    for (const { id } of fresh) this.#seen.add(id);
    return JSON.stringify(fresh);
  }
}
