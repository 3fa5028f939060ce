/**
 * Walks: every row of a list once, though lists change and their pages shift while they are read.
 */
import type { Campaign } from './api.ts';

interface Page<Row> {
  readonly rows: readonly Row[];
}

/** Recent pages kept to drop repeated rows of a report: newer rows push known ones to the next page. */
const maxRememberedPages = 20;

/** All rows of a report, each once. */
export async function* walkReport<Row>(pages: AsyncIterable<Page<Row>>): AsyncGenerator<Row, void, undefined> {
  const recent: Set<string>[] = [];
  for await (const { rows } of pages) {
    const fresh = rows.filter((row) => !recent.some((earlier) => earlier.has(identity(row))));
    recent.push(new Set(fresh.map(identity)));
    if (recent.length > maxRememberedPages) recent.shift();
    yield* fresh;
  }
}

/** The whole row: without a contact, the other fields distinguish it. */
const identity = (row: unknown) => JSON.stringify(row);

/**
 * All campaigns, each once. One that changes moves to the front of the directory, possibly from a page that is still to come
 * to one that was read: so the walk ends with the pages at the front, until one has nothing new.
 *
 * @param pagesNow starts a walk that begins with a first page from Constant Contact rather than from the cache
 */
export async function* walkDirectory(
  pages: AsyncIterable<Page<Campaign>>,
  pagesNow: () => AsyncIterable<Page<Campaign>>,
): AsyncGenerator<Campaign, void, undefined> {
  const seen = new Set<string>();
  const unseen = (rows: readonly Campaign[]) =>
    rows.filter(({ id }) => {
      const isNew = !seen.has(id);
      seen.add(id);
      return isNew;
    });
  let pageCount = 0;
  for await (const { rows } of pages) {
    pageCount++;
    yield* unseen(rows);
  }
  if (pageCount < 2) return;
  for await (const { rows } of pagesNow()) {
    const moved = unseen(rows);
    if (moved.length === 0) return;
    yield* moved;
  }
}
