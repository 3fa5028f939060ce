/**
 * What is known of v3's ids: a campaign can be asked for by v2's digits, by its own UUID and by that of its activity, under
 * which its reports are.
 *
 * That an id means an activity never changes, so it is kept for good, over a restart too. That an id means none is remembered
 * for a while, here alone.
 */
import { LRUCache } from 'lru-cache';
import type { Clock } from '../clock.ts';
import type { OtherIds } from '../model/campaign-ids.ts';
import { type MeantActivity, maxKeptIds } from '../model/meant-activity.ts';
import { Problem } from '../problems.ts';

/** Ids that are remembered with their activity, activities, and ids that mean none. Past it the longest unused is forgotten. */
const maxKnown = 100_000;
/** Why an id has no activity. */
type Without =
  /** Nothing has this id: neither a v2 campaign nor, where it is a UUID, a v3 one. */
  | { readonly kind: 'none' }
  /** A campaign has it, none of whose activities has reports. */
  | { readonly kind: 'no-activity' }
  /** It could not be looked up. */
  | { readonly kind: 'failed'; readonly problem: Problem; readonly at: number };

/**
 * Called with ids whose activity has just been learned.
 *
 * @param isOwn whether this instance has looked them up
 * @param kept what is to be kept over a restart, the last used first
 */
type OnLearned = (pairs: readonly MeantActivity[], isOwn: boolean, kept: readonly MeantActivity[]) => void;

export class KnownIds implements OtherIds {
  readonly #clock: Clock;
  readonly #onLearned: OnLearned;
  readonly #activityOf: LRUCache<string, string>;
  /** The other way round. */
  readonly #askedAs = new Map<string, Set<string>>();
  readonly #activities = new LRUCache<string, true>({ max: maxKnown });
  readonly #without: LRUCache<string, Without>;

  constructor(clock: Clock, onLearned: OnLearned = () => {}) {
    this.#clock = clock;
    this.#onLearned = onLearned;
    this.#activityOf = new LRUCache({
      max: maxKnown,
      dispose: (activity, asked) => {
        const all = this.#askedAs.get(activity);
        all?.delete(asked);
        if (all?.size === 0) this.#askedAs.delete(activity);
      },
    });
    this.#without = new LRUCache({ max: maxKnown, ttlResolution: 0, perf: { now: () => clock.monotonic() } });
  }

  activityOf(id: string): string {
    return this.#activityOf.get(id) ?? id;
  }

  allOf(id: string): readonly string[] {
    const activity = this.#activityOf.peek(id) ?? id;
    return [...new Set([id, activity, ...(this.#askedAs.get(activity) ?? [])])];
  }

  exists(id: string): boolean {
    return this.#activityOf.has(id) || this.isActivity(id);
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

  /** Why an id has no activity, as far as that is remembered. */
  without(id: string): Without | undefined {
    return this.#without.get(id);
  }

  /** For how long that is remembered, in milliseconds. */
  rememberedMs(id: string): number {
    return this.#without.getRemainingTTL(id);
  }

  /** @param seconds for which it is remembered, unless what the id means has become known meanwhile */
  remember(id: string, without: 'none' | 'no-activity' | Problem, seconds: number): void {
    if (this.exists(id)) return;
    const entry: Without =
      without instanceof Problem
        ? { kind: 'failed', problem: without, at: this.#clock.monotonic() }
        : { kind: without };
    this.#without.set(id, entry, { ttl: seconds * 1000 });
  }

  /**
   * Remembers which activities ids mean; the first that is heard of an id counts. An activity is none of an activity: so a
   * question goes from id to activity in one step, and never in a circle.
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

  /** What is to be kept over a restart, the last used first. */
  kept(): MeantActivity[] {
    const pairs: MeantActivity[] = [];
    for (const pair of this.#activityOf.entries()) {
      if (pairs.push(pair) >= maxKeptIds) break;
    }
    return pairs;
  }

  /** Takes over what was kept, without entries that contradict another one: they are looked up again. */
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
