/**
 * Builds the Redis keys of pages, and bounds values that others could have written.
 */
import type { Clock } from '../../clock.ts';
import type { Digest } from '../../redis/digests.ts';
import { highestGeneration, isPlausible } from '../generations.ts';
import type { PageOfWalk } from '../page-of-walk.ts';
import { recordVersion } from '../page-record.ts';

export type KeysOfPage = readonly [page: string, lock: string, walk: string];

interface Parts {
  /** Adds the common key prefix. */
  readonly key: (name: string) => string;
  /** Digests content-derived values: ETags, first rows, cursors. */
  readonly digest: Digest;
  readonly clock: Clock;
}

interface Options {
  /** Other settings that change how a page is rendered. */
  readonly namespace: string;
  readonly staleIfErrorSeconds: number;
  readonly maxFreshSeconds: number;
}

/** Longest plausible key in a message. */
const maxKeyLength = 300;

/** Returns how long a walk's generation is kept: as long as any of its pages. */
export const walkLifeMs = ({ staleIfErrorSeconds, maxFreshSeconds }: Omit<Options, 'namespace'>) =>
  (maxFreshSeconds + staleIfErrorSeconds) * 1000;

export class RedisPageKeys {
  readonly namespace: string;
  /** How long a walk's generation is kept, in milliseconds. */
  walkLifeMs: number;
  readonly #parts: Parts;
  readonly #prefix: string;
  /** Of this version and all others. */
  readonly #prefixGlob: string;

  constructor(parts: Parts, { namespace, staleIfErrorSeconds, maxFreshSeconds }: Options) {
    this.#parts = parts;
    this.namespace = namespace;
    this.walkLifeMs = walkLifeMs({ staleIfErrorSeconds, maxFreshSeconds });
    const prefixOf = (version: number | string) => parts.key(`{${version}|${namespace}|`);
    // Two versions of Sendgate use separate keys.
    this.#prefix = prefixOf(recordVersion);
    this.#prefixGlob = prefixOf('[0-9]*');
  }

  of(page: PageOfWalk): KeysOfPage {
    // All keys of a walk hash to one cluster slot. Cursors are digested: they can be long and private.
    const stem = `${this.#prefix}${page.walk}}`;
    const which = page.kind === 'first' ? `limit=${page.limit}` : `next=${this.#parts.digest('cursor', page.cursor)}`;
    const key = `${stem}:${which}`;
    return [key, `${key}:lock`, stem];
  }

  /** Returns the walk of a key; undefined if the key is not ours. */
  walkIn(key: string): string | undefined {
    if (!key.startsWith(this.#prefix) || key.length > this.#prefix.length + maxKeyLength) return undefined;
    return key.slice(this.#prefix.length, -1);
  }

  /** Returns the walk's key for any key of the walk. */
  walkKeyIn(key: string): string {
    return key.slice(0, key.indexOf('}') + 1);
  }

  /** Glob for all keys of a campaign, those of other versions too; undefined matches all campaigns. */
  patternOf(campaign: string | undefined): string {
    return `${this.#prefixGlob}${campaign === undefined ? '' : `${campaign}|`}*`;
  }

  /** Hash field with the ETag digest of a first page; empty for a later page. */
  fieldOf(page: PageOfWalk): string {
    return page.kind === 'first' ? `h${page.limit}` : '';
  }

  /** Redis sees only digests of content: from the value itself, a guessed address could be confirmed. */
  digestOfTag(etag: string): string {
    return this.#parts.digest('etag', etag);
  }

  digestOfRow(firstRow: string): string {
    return this.#parts.digest('first', firstRow);
  }

  /** Highest plausible generation. */
  highest(): number {
    return highestGeneration(this.#parts.clock.now());
  }

  /** Parses a generation; anything else is 0, which is never current. */
  generationOf(text: unknown): number {
    const generation = Number(text);
    return isPlausible(generation, this.#parts.clock.now()) ? generation : 0;
  }

  /** Converts monotonic to wall time, which instances share. */
  toWall(monotonicMs: number): number {
    const { clock } = this.#parts;
    return Math.round(clock.now() - clock.monotonic() + monotonicMs);
  }
}
