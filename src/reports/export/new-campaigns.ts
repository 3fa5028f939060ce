/**
 * Drops campaigns that earlier pages of the walk contained, even if they have changed since.
 */
import type { CampaignRow } from '../../model/directory.ts';

export class NewCampaigns {
  readonly #seen = new Set<string>();

  /** Number of campaigns so far. */
  get count(): number {
    return this.#seen.size;
  }

  /** Returns the new rows of a page, a JSON array like `rows`; `[]` without any. */
  of(rows: string): string {
    const fresh = (JSON.parse(rows) as readonly CampaignRow[]).filter(({ id }) => !this.#seen.has(id));
    for (const { id } of fresh) this.#seen.add(id);
    return JSON.stringify(fresh);
  }
}
