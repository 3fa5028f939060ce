/**
 * Walks: every row of a list once, though lists change and their pages shift while they are read.
 */
import type { Campaign } from './api.ts';
import { Patience } from './patience.ts';

interface Page<Row> {
  readonly rows: readonly Row[];
}

/** Recent pages kept to drop repeated rows of a report: newer rows push known ones to the next page. */
const maxRememberedPages = 20;

/** All rows of a report, each once, until `signal` aborts. */
export async function* walkReport<Row>(
  pages: AsyncIterable<Page<Row>>,
  signal: AbortSignal | undefined,
): AsyncGenerator<Row, void, undefined> {
  const recent: Set<string>[] = [];
  for await (const { rows } of pages) {
    const fresh = rows.filter((row) => !recent.some((earlier) => earlier.has(identity(row))));
    recent.push(new Set(fresh.map(identity)));
    if (recent.length > maxRememberedPages) recent.shift();
    yield* unlessAborted(fresh, signal);
  }
}

/** @throws the signal's reason, in the middle of a page, too */
function* unlessAborted<Row>(rows: readonly Row[], signal: AbortSignal | undefined): Generator<Row, void, undefined> {
  for (const row of rows) {
    signal?.throwIfAborted();
    yield row;
  }
}

/** All of it: without a contact, the other fields distinguish a row. */
const identity = (value: unknown) => JSON.stringify(value);

interface DirectoryPage extends Page<Campaign> {
  readonly cacheStatus: string;
}

export interface DirectoryWalk {
  pages(): AsyncIterable<DirectoryPage>;
  /** The same, but asks Sendgate to refresh the first page, which it does once a minute at most. */
  pagesAnew(): AsyncIterable<DirectoryPage>;
  readonly patienceSeconds: number | undefined;
  readonly signal: AbortSignal | undefined;
}

/**
 * All campaigns, each once.
 *
 * One that changes moves to the front of the directory, maybe from a page that is still to come to one that was read. So the
 * walk ends with the pages at the front, until one has nothing new. Each that moved has pushed a known one to the page that
 * came next: as long as fewer are found at the front than were repeated, the walk reads on there, and waits for a newer first
 * page if Sendgate still has the old one.
 */
export async function* walkDirectory(walk: DirectoryWalk): AsyncGenerator<Campaign, void, undefined> {
  const seen = new Set<string>();
  let first: string | undefined;
  let isLong = false;
  let missing = 0;
  for await (const { rows } of walk.pages()) {
    const fresh = take(rows, seen);
    missing += rows.length - fresh.length;
    isLong = first !== undefined;
    first ??= identity(rows);
    yield* unlessAborted(fresh, walk.signal);
  }
  if (!isLong) return;
  const patience = new Patience(walk.patienceSeconds);
  let isOld: boolean | undefined;
  do {
    isOld = undefined;
    for await (const { rows, cacheStatus } of walk.pagesAnew()) {
      isOld ??= isHit(cacheStatus) && identity(rows) === first;
      const moved = take(rows, seen);
      missing -= moved.length;
      yield* unlessAborted(moved, walk.signal);
      if (moved.length === 0 && (isOld || missing <= 0)) break;
    }
  } while (isOld && missing > 0 && (await patience.pause(walk.signal)));
}

/** Returns the campaigns that were not seen, and adds them to those that were. */
function take(rows: readonly Campaign[], seen: Set<string>): readonly Campaign[] {
  const unseen = rows.filter(({ id }) => !seen.has(id));
  for (const { id } of unseen) seen.add(id);
  return unseen;
}

const isHit = (cacheStatus: string) => /;\s*hit\b/.test(cacheStatus);
