/**
 * Pages on the disk, without a Sendgate.
 */
import { join } from 'node:path';
import { identityOf } from '../../src/cache/compression.ts';
import { DiskSecondLevel } from '../../src/cache/disk/disk-second-level.ts';
import { PageStore } from '../../src/cache/disk/page-store.ts';
import { Generations } from '../../src/cache/generations.ts';
import { makeBody, type Page } from '../../src/cache/page.ts';
import type { PageOfWalk } from '../../src/cache/page-of-walk.ts';
import type { Lease, Wanted } from '../../src/cache/second-level.ts';
import type { Clock } from '../../src/clock.ts';
import { Availability } from '../../src/storage/availability.ts';
import { type Files, FilesOnDisk } from '../../src/storage/files.ts';
import { FilesInLanes, Lanes } from '../../src/storage/lanes.ts';
import { type SealingKey, sealingKey } from '../../src/storage/sealing.ts';

interface Options {
  readonly maxBytes?: number;
  readonly keys?: readonly SealingKey[];
  readonly namespace?: string;
  readonly files?: Files;
}

/** What one process has of the directory, from its start on. */
export function openDisk(directory: string, clock: Clock, options: Options = {}) {
  const { maxBytes = 16 * 1024 * 1024, keys = [], namespace = 'v2' } = options;
  const told: string[] = [];
  const lanes = new Lanes(clock);
  const generations = new Generations(100, clock);
  const availability = new Availability(clock, lanes, {
    unavailable: (code) => told.push(`unavailable ${code}`),
    available: () => told.push('available'),
  });
  const parts = {
    ...{ clock, lanes, generations, availability, keys: () => keys },
    files: new FilesInLanes(options.files ?? new FilesOnDisk(directory, 'pages'), lanes),
    onUnreadable: (why: string) => told.push(`unreadable ${why}`),
    onForeign: (files: number) => told.push(`foreign ${files}`),
    onOperation: () => {},
  };
  const store = new PageStore(parts, { maxBytes, maxFileBytes: 100_000, lifeMs: 2_000_000 });
  store.start();
  const secondLevel = new DiskSecondLevel(
    { ...parts, store },
    { namespace, maxFreshSeconds: 1_000, staleIfErrorSeconds: 1_000, notFoundSeconds: 60, maxPageBytes: 10_000 },
  );
  return { secondLevel, generations, store, availability, lanes, told, pages: join(directory, 'pages') };
}

export const keyOf = (byte: number) => sealingKey(Buffer.alloc(32, byte));

export type Disk = ReturnType<typeof openDisk>;

export const firstPageOf = (campaign: string, limit = 500): PageOfWalk => ({
  ...{ kind: 'first', walk: `${campaign}|sends|`, limit },
});
export const laterPageOf = (campaign: string, cursor = 'c'): PageOfWalk => ({
  ...{ kind: 'next', walk: `${campaign}|sends|`, cursor },
});

/** Fetches and stores a page. Returns its generation. */
export async function storePage({ secondLevel, generations }: Disk, of: PageOfWalk, text: string, clock: Clock) {
  const reply = await secondLevel.look(of, { ...wanted, notBefore: Number.MAX_SAFE_INTEGER });
  if (reply.kind !== 'lease') throw new Error(reply.kind);
  return store(reply.lease, { generations }, of, text, clock);
}

export async function store(
  lease: Lease,
  { generations }: Pick<Disk, 'generations'>,
  of: PageOfWalk,
  text: string,
  clock: Clock,
) {
  const askedIn = generations.of(of.walk).generation;
  const body = await makeBody({ json: text, next: undefined, cursor: undefined, newestMs: 1 });
  const fetchedAt = clock.monotonic();
  const arrived = { of, etag: body.etag, firstRow: text.slice(0, 9), askedIn, previousEtag: undefined };
  return lease.stored({ body, fetchedAt, freshUntil: fetchedAt + 60_000 }, arrived);
}

/** Returns what is found, as `page <text>`, `refusal <code>`, `fallback <text>` or `lease`. */
export async function find({ secondLevel }: Pick<Disk, 'secondLevel'>, of: PageOfWalk): Promise<string> {
  const reply = await secondLevel.look(of, wanted);
  if (reply.kind === 'page') return `page ${await textOf(reply.page)}`;
  if (reply.kind === 'refusal') return `refusal ${reply.code}`;
  return reply.fallback ? `fallback ${await textOf(reply.fallback)}` : 'lease';
}

const textOf = async ({ body }: Page) => (await identityOf(body)).toString();

export const wanted: Wanted = {
  ...{ notBefore: Number.NEGATIVE_INFINITY, mayBeStale: true, known: undefined },
  rebuild: (json) => ({ json, next: undefined, cursor: undefined, newestMs: 1, first: json.slice(0, 9) }),
};
