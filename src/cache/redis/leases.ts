/**
 * Leases of this instance in Redis: the right to make the call for a page, and the report of its outcome.
 */
import type { Clock } from '../../clock.ts';
import type { Problem } from '../../problems.ts';
import { type Demand, urgencies } from '../../quota/demand.ts';
import { HeldLock } from '../../redis/lock.ts';
import type { Redis } from '../../redis/redis.ts';
import type { Reply, Script } from '../../redis/scripts.ts';
import type { KeyRing } from '../../storage/key-ring.ts';
import { type ArrivedPage, differs, type Generations, isUnchanged } from '../generations.ts';
import type { Page } from '../page.ts';
import type { PageOfWalk } from '../page-of-walk.ts';
import { writeRecord } from '../page-record.ts';
import type { Lease } from '../second-level.ts';
import { writeFailure } from './failure-message.ts';
import { refuse, release, store } from './page-scripts.ts';
import type { RedisPageKeys } from './redis-page-keys.ts';

export interface LeaseParts {
  readonly redis: Redis;
  readonly generations: Generations;
  readonly clock: Clock;
  readonly keys: RedisPageKeys;
  /** Undefined if pages are stored unencrypted. */
  readonly keyRing: KeyRing | undefined;
  /** Whether a team is configured, and so can pay for a call. */
  readonly isTeam: (name: string) => boolean;
}

type Values = readonly (string | number | Buffer)[];
type Report = (script: Script, values: Values) => Promise<Reply | undefined>;

/** Times that a page is sealed, should others move its walk meanwhile. */
const maxTries = 3;

export class LeasesInRedis {
  readonly #parts: LeaseParts;
  readonly #staleIfErrorSeconds: () => number;
  /** Demands of this instance's calls, by page key. */
  readonly #demands = new Map<string, Demand>();

  constructor(parts: LeaseParts, staleIfErrorSeconds: () => number) {
    const { redis, isTeam } = parts;
    this.#parts = parts;
    this.#staleIfErrorSeconds = staleIfErrorSeconds;
    // Another instance waits for the call with a higher priority.
    redis.on('raise', (key = '', team = '', rank) => {
      const demand = this.#demands.get(key);
      const { team: payingTeam, client } = demand ?? { team };
      const payer = isTeam(team) ? { team } : { team: payingTeam, client };
      demand?.join(payer, urgencies[Number(rank)] ?? 'bulk');
    });
  }

  /** Wraps a lock that was just acquired; renews it until the outcome is reported. */
  take(page: PageOfWalk, token: string, demand: Demand): Lease {
    const { redis, keys, clock } = this.#parts;
    const [key, lockKey] = keys.of(page);
    const lock = new HeldLock((script, values) => redis.run(script, values), clock, lockKey, token);
    this.#demands.set(key, demand);
    return this.#lease(page, token, () => {
      lock.stopRenewing();
      if (this.#demands.get(key) === demand) this.#demands.delete(key);
    });
  }

  /** A lease without a lock, while Redis is unavailable. Redis may be back when the outcome is reported. */
  unshared(page: PageOfWalk): Lease {
    return this.#lease(page, '-', () => {});
  }

  #lease(page: PageOfWalk, token: string, done: () => void): Lease {
    const { redis, keys, clock } = this.#parts;
    const report: Report = async (script, values) => {
      const reply = await redis.run(script, [...keys.of(page), redis.channel, token, ...values, keys.highest()]);
      done();
      return reply;
    };
    return {
      stored: (stored, arrived) => this.#store(stored, arrived, report),
      refused: (code, forMs) => {
        const now = clock.now();
        void report(refuse, [code, now, now + forMs, forMs]);
      },
      failed: (problem: Problem | undefined) => void report(release, [writeFailure(problem)]),
      released: () => void report(release, ['']),
    };
  }

  /** Stores a page. The generation of a first page is Redis's to decide, and is sealed with it. */
  async #store(page: Parameters<Lease['stored']>[0], arrived: ArrivedPage, report: Report) {
    const { generations, keys } = this.#parts;
    const { of } = arrived;
    const known = generations.of(of.walk);
    let same = of.kind === 'first' && isUnchanged(known, of.limit, arrived) ? known.generation : 0;
    for (let tries = 1; ; tries++) {
      const reply = await report(store, this.#valuesOf(page, arrived, same));
      if (!Array.isArray(reply)) return undefined;
      const [generation = 0, belongs = 0] = reply.map((one) => keys.generationOf(one));
      const isDecided = Number(reply[2]) === 1;
      if (!isDecided && tries < maxTries) {
        same = belongs;
        continue;
      }
      if (!isDecided) void report(release, ['']);
      if (of.kind === 'next') generations.adopt(of.walk, generation);
      else generations.firstPageArrived(of.walk, of.limit, arrived, generation);
      return belongs;
    }
  }

  /** @param same generation in which this first page is known unchanged, or 0 */
  #valuesOf(page: Pick<Page, 'body' | 'fetchedAt' | 'freshUntil'>, arrived: ArrivedPage, same: number): Values {
    const { generations, clock, keys, keyRing } = this.#parts;
    const { body } = page;
    const { of, etag, firstRow, askedIn } = arrived;
    const [key] = keys.of(of);
    const next = generations.next();
    const generation = of.kind === 'next' ? askedIn : same || next;
    const [fetchedAt, freshUntil] = [keys.toWall(page.fetchedAt), keys.toWall(page.freshUntil)];
    const record = { body, first: firstRow, generation, fetchedAt, freshUntil };
    return [
      ...[keys.fieldOf(of), keys.digestOfTag(etag), keys.digestOfRow(firstRow)],
      ...[askedIn, Number(differs(arrived)), same, next],
      ...[fetchedAt, freshUntil],
      Math.ceil(page.freshUntil - clock.monotonic() + this.#staleIfErrorSeconds() * 1000),
      ...[keys.walkLifeMs, writeRecord(record, key, keyRing?.keys ?? []), generation],
    ];
  }
}
