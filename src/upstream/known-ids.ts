/**
 * Remembers v3's ids: a campaign can be requested by v2's digits, by its own UUID, and by that of its activity, which its
 * reports belong to.
 *
 * That an id means an activity never changes, so it is kept for good, across restarts too. That an id means none is
 * remembered for a while, on this instance only.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import { upTo } from '../model/lru.ts';
import { type MeantActivity, maxKeptIds } from '../model/meant-activity.ts';
import { Problem } from '../problems.ts';

/** Bound on ids with a known activity, on activities, and on ids without one; the least recently used is evicted. */
const maxKnown = 100_000;
/** Why an id has no activity. */
type Without =
  /** The id is unused: neither a v2 campaign nor, if it is a UUID, a v3 one. */
  | { readonly kind: 'none' }
  /** A campaign has the id, but none of its activities has reports. */
  | { readonly kind: 'no-activity' }
  /** The lookup failed. */
  | { readonly kind: 'failed'; readonly problem: Problem; readonly at: number };

/**
 * Called with newly learned pairs.
 *
 * @param isOwn whether this instance looked them up
 * @param kept what is to be kept over a restart, the last used first
 */
type OnLearned = (pairs: readonly MeantActivity[], isOwn: boolean, kept: readonly MeantActivity[]) => void;

export class KnownIds implements OtherIds {
  readonly #clock: Clock;
  readonly #onLearned: OnLearned;
  readonly #activityOf: LRUCache<string, string>;
  /** The reverse map: ids by activity. */
  readonly #askedAs = new Map<string, Set<string>>();
  readonly #activities = new LRUCache<string, true>(upTo(maxKnown));
  readonly #campaigns = new LRUCache<string, true>(upTo(maxKnown));
  readonly #without: LRUCache<string, Without>;

  constructor(clock: Clock, onLearned: OnLearned = () => {}) {
    this.#clock = clock;
    this.#onLearned = onLearned;
    this.#activityOf = new LRUCache({
      ...upTo(maxKnown),
      dispose: (activity, asked) => {
        const all = this.#askedAs.get(activity);
        all?.delete(asked);
        if (all?.size === 0) this.#askedAs.delete(activity);
      },
    });
    this.#without = new LRUCache({ ...upTo(maxKnown), ttlResolution: 0, perf: { now: () => clock.monotonic() } });
  }

  activityOf(id: string): string {
    return this.#activityOf.get(id) ?? id;
  }

  allOf(id: string): readonly string[] {
    const activity = this.#activityOf.peek(id) ?? id;
    return [...new Set([id, activity, ...(this.#askedAs.get(activity) ?? [])])];
  }

  exists(id: string): boolean {
    return this.hasActivity(id) || this.isCampaign(id);
  }

  /** Whether an id is known to mean an activity, or to be one. */
  hasActivity(id: string): boolean {
    return this.#activityOf.has(id) || this.isActivity(id);
  }

  isCampaign(id: string): boolean {
    return this.#campaigns.has(id);
  }

  isActivity(id: string): boolean {
    return this.#activities.has(id) || this.#askedAs.has(id);
  }

  isNowhere(id: string): boolean {
    return this.without(id)?.kind === 'none';
  }

  addActivity(id: string): void {
    if (this.#activityOf.has(id)) return;
    this.#activities.set(id, true);
    this.#without.delete(id);
  }

  addCampaign(id: string): void {
    this.#campaigns.set(id, true);
  }

  /** Returns why an id has no activity, if remembered. */
  without(id: string): Without | undefined {
    return this.#without.get(id);
  }

  /** Returns the milliseconds left of that memory. */
  rememberedMs(id: string): number {
    return this.#without.getRemainingTTL(id);
  }

  /** Remembers for `seconds` that an id has no activity, unless its meaning is known. */
  remember(id: string, without: 'none' | 'no-activity' | Problem, seconds: number): void {
    if (this.hasActivity(id)) return;
    const entry: Without =
      without instanceof Problem
        ? { kind: 'failed', problem: without, at: this.#clock.monotonic() }
        : { kind: without };
    this.#without.set(id, entry, { ttl: seconds * 1000 });
  }

  /**
   * Learns which activities ids mean; the first meaning of an id counts. An activity never means another one, so every lookup
   * takes one step and never loops.
   */
  learn(pairs: readonly MeantActivity[], isOwn = true): void {
    const news = pairs.filter((pair) => this.#add(pair));
    if (news.length > 0) this.#onLearned(news, isOwn, this.kept());
  }

  #add([asked, activity]: MeantActivity): boolean {
    if (asked === activity || this.#activityOf.has(asked) || this.#activityOf.has(activity)) return false;
    if (this.isActivity(asked)) return false;
    this.#activityOf.set(asked, activity);
    const all = this.#askedAs.get(activity) ?? new Set();
    this.#askedAs.set(activity, all.add(asked));
    this.#without.delete(asked);
    this.#without.delete(activity);
    return true;
  }

  /** Returns the pairs to store, most recently used first. */
  kept(): MeantActivity[] {
    const pairs: MeantActivity[] = [];
    for (const pair of this.#activityOf.entries()) {
      if (pairs.push(pair) >= maxKeptIds) break;
    }
    return pairs;
  }

  /** Restores stored pairs, without those that contradict each other: they are looked up again. */
  restore(kept: readonly MeantActivity[]): void {
    const activities = new Set(kept.map(([, activity]) => activity));
    const meant = new Map<string, Set<string>>();
    for (const [asked, activity] of kept) meant.set(asked, (meant.get(asked) ?? new Set()).add(activity));
    for (const pair of kept.toReversed()) {
      const [asked, activity] = pair;
      if (!activities.has(asked) && !meant.has(activity) && meant.get(asked)?.size === 1) this.#add(pair);
    }
  }

  doubt(id?: string): void {
    if (id === undefined) this.#without.clear();
    else this.#without.delete(id);
  }

  forget(id?: string): void {
    this.doubt(id);
    if (id === undefined) this.#activities.clear();
    else this.#activities.delete(id);
  }
}
