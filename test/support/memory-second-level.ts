/**
 * An in-memory second level for instances in one process: does what Redis does.
 */
import { Generations } from '../../src/cache/generations.ts';
import { isOfCampaign } from '../../src/cache/keys.ts';
import { type Page, pageOf } from '../../src/cache/page.ts';
import type { PageOfWalk } from '../../src/cache/page-of-walk.ts';
import { isRefusalCode, type Refusal } from '../../src/cache/refusals.ts';
import type { Lease, SecondLevel, SecondLevelReply, Wanted } from '../../src/cache/second-level.ts';
import type { Clock } from '../../src/clock.ts';
import { Problem } from '../../src/problems.ts';
import type { Demand } from '../../src/quota/demand.ts';

interface Leased {
  readonly demand: Demand;
  readonly waiting: { resolve(): void; reject(error: unknown): void }[];
}

/** Of all instances. */
export class SharedMemory {
  readonly held = new Map<string, Page | Refusal>();
  readonly leased = new Map<string, Leased>();
  readonly generations: Generations;
  readonly listeners: ((campaign: string | undefined) => void)[] = [];
  readonly clock: Clock;

  constructor(clock: Clock) {
    this.clock = clock;
    this.generations = new Generations(100, clock);
  }
}

export class MemorySecondLevel implements SecondLevel {
  readonly #shared: SharedMemory;
  readonly #generations: Generations;

  /** @param generations what the instance knows of the walks */
  constructor(shared: SharedMemory, generations: Generations) {
    this.#shared = shared;
    this.#generations = generations;
  }

  isDoubtful(walk: string): boolean {
    return this.#generations.of(walk).generation < this.#shared.generations.of(walk).generation;
  }

  async confirm(walk: string): Promise<void> {
    this.#generations.adopt(walk, this.#shared.generations.of(walk).generation);
  }

  onPurge(listener: (campaign: string | undefined) => void): void {
    this.#shared.listeners.push(listener);
  }

  async purge(campaign: string | undefined): Promise<boolean> {
    const { held, generations, listeners } = this.#shared;
    for (const [key] of held) {
      if (!isOfCampaign(campaign)(key)) continue;
      held.delete(key);
      generations.adopt(walkIn(key), generations.next());
    }
    for (const listener of listeners) listener(campaign);
    return true;
  }

  async look(page: PageOfWalk, wanted: Wanted, demand: Demand, signal: AbortSignal): Promise<SecondLevelReply> {
    const key = keyOf(page);
    for (let waited = false; ; waited = true) {
      await this.confirm(page.walk);
      const held = this.#shared.held.get(key);
      if (held && this.#isGoodEnough(held, page, wanted)) {
        return held.kind === 'page' ? { kind: 'page', page: held, waited } : held;
      }
      const leased = this.#shared.leased.get(key);
      if (!leased) {
        const fallback = held?.kind === 'page' && this.#isPresent(held, page) ? held : undefined;
        return { kind: 'lease', lease: this.#lease(page, demand), fallback };
      }
      leased.demand.join({ team: demand.team }, demand.urgency);
      await new Promise<void>((resolve, reject) => {
        leased.waiting.push({ resolve, reject });
        signal.addEventListener('abort', () => reject(signal.reason), { once: true });
      });
    }
  }

  #isPresent({ generation }: Page, { walk }: PageOfWalk): boolean {
    return generation === this.#shared.generations.of(walk).generation;
  }

  #isGoodEnough(held: Page | Refusal, page: PageOfWalk, { notBefore, mayBeStale }: Wanted): boolean {
    const now = this.#shared.clock.monotonic();
    if (held.kind === 'refusal') return held.until > now && held.at >= notBefore;
    return this.#isPresent(held, page) && held.fetchedAt >= notBefore && (mayBeStale || held.freshUntil > now);
  }

  #lease(page: PageOfWalk, demand: Demand): Lease {
    const { held, leased, generations, clock } = this.#shared;
    const key = keyOf(page);
    const lease: Leased = { demand, waiting: [] };
    leased.set(key, lease);
    const end = (problem?: Problem) => {
      if (leased.get(key) === lease) leased.delete(key);
      const isOfCaller = problem?.reason === 'abandoned' || problem?.reason === 'share';
      for (const { resolve, reject } of lease.waiting) problem && !isOfCaller ? reject(problem) : resolve();
    };
    return {
      stored: async (stored, arrived) => {
        const generation = generations.arrived(arrived);
        const isPresent = generation === generations.of(page.walk).generation;
        if (isPresent) held.set(key, pageOf(stored.body, { ...stored, generation, failedAt: undefined }));
        await this.confirm(page.walk);
        if (page.kind === 'first') this.#generations.firstPageArrived(page.walk, page.limit, arrived, generation);
        end();
        return generation;
      },
      refused: (code, forMs) => {
        const at = clock.monotonic();
        if (isRefusalCode(code)) held.set(key, { kind: 'refusal', code, at, until: at + forMs });
        end();
      },
      failed: (problem = new Problem('internal-error')) => end(problem),
      released: () => end(),
    };
  }
}

const keyOf = (page: PageOfWalk) => `${page.walk} ${page.kind === 'first' ? page.limit : `next=${page.cursor}`}`;
const walkIn = (key: string) => key.slice(0, key.lastIndexOf(' '));
