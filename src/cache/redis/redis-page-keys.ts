/**
 * Under which keys pages stand in Redis, and what is bounded there because others can write it.
 */
import type { Clock } from '../../clock.ts';
import type { Digest } from '../../redis/digests.ts';
import type { PageOfWalk } from '../page-of-walk.ts';
import { recordVersion } from './page-record.ts';

export type KeysOfPage = readonly [page: string, lock: string, walk: string];

interface Parts {
  /** Puts what all keys begin with in front of a name. */
  readonly key: (name: string) => string;
  /** Of what is known by the content: tags, first rows, cursors. */
  readonly digest: Digest;
  readonly clock: Clock;
}

interface Options {
  /** What else decides what a page looks like. */
  readonly namespace: string;
  readonly staleIfErrorSeconds: number;
  readonly maxFreshSeconds: number;
}

/** Generations come from the clock, a thousand for each millisecond, and a step each: one a day ahead is not from an instance. */
const dayMs = 86_400_000;
/** A longer key in a message is not one of ours. */
const maxKeyLength = 300;

export class RedisPageKeys {
  readonly namespace: string;
  /** For how long a walk's generation is kept, in milliseconds. */
  readonly walkLifeMs: number;
  readonly #parts: Parts;
  readonly #prefix: string;

  constructor(parts: Parts, { namespace, staleIfErrorSeconds, maxFreshSeconds }: Options) {
    this.#parts = parts;
    this.namespace = namespace;
    this.walkLifeMs = (maxFreshSeconds + staleIfErrorSeconds) * 1000;
    // In keys of their own, instances of two versions leave each other's alone.
    this.#prefix = parts.key(`{${recordVersion}|${namespace}|`);
  }

  of(page: PageOfWalk): KeysOfPage {
    // All keys of a walk stand in one slot of a cluster. A cursor may be long, and is nobody's business.
    const stem = `${this.#prefix}${page.walk}}`;
    const which = page.kind === 'first' ? `limit=${page.limit}` : `next=${this.#parts.digest('cursor', page.cursor)}`;
    const key = `${stem}:${which}`;
    return [key, `${key}:lock`, stem];
  }

  /** The walk of such a key; undefined where it is not one of ours. */
  walkIn(key: string): string | undefined {
    if (!key.startsWith(this.#prefix) || key.length > this.#prefix.length + maxKeyLength) return undefined;
    return key.slice(this.#prefix.length, -1);
  }

  /** The key of the walk to which a key belongs. */
  walkKeyIn(key: string): string {
    return key.slice(0, key.indexOf('}') + 1);
  }

  /** Matches all keys of a campaign; undefined is all campaigns. */
  patternOf(campaign: string | undefined): string {
    return `${this.#prefix}${campaign === undefined ? '' : `${campaign}|`}*`;
  }

  /** The field in the walk's hash with the tag of a first page; an empty text for a later page. */
  fieldOf(page: PageOfWalk): string {
    return page.kind === 'first' ? `h${page.limit}` : '';
  }

  /** What is known by the content is no more than a digest in Redis: from itself, a guessed address could be confirmed. */
  digestOfTag(etag: string): string {
    return this.#parts.digest('etag', etag);
  }

  digestOfRow(firstRow: string): string {
    return this.#parts.digest('first', firstRow);
  }

  /** The highest generation that there can be: walks could not move on from one that is far ahead. */
  highest(): number {
    return Math.floor(this.#parts.clock.now() + dayMs) * 1000;
  }

  /** What is no generation is the lowest, and never the present one. */
  generationOf(text: unknown): number {
    const generation = Number(text);
    return Number.isSafeInteger(generation) && generation > 0 && generation <= this.highest() ? generation : 0;
  }

  /** Wall time of a monotonic one, which is what instances have in common. */
  toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return Math.round(clock.now() - clock.monotonic() + monotonicMs);
  }
}
