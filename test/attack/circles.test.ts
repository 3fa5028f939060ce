/**
 * Links of Constant Contact's lists that lead in a circle hold no request up.
 */
import { expect, test } from '@jest/globals';
import type { SourcePage, SourcePages } from '../../src/cache/recipes.ts';
import { makeDirectoryPage } from '../../src/campaigns/v3-directory.ts';
import { heldSummary } from '../../src/campaigns/v3-summaries.ts';
import { noOtherIds } from '../../src/model/campaign-ids.ts';
import { noCampaign } from '../../src/model/page-query.ts';

const cursor = Buffer.from('next=1').toString('base64url');
let looked = 0;

/** Every page leads to itself. */
const page: SourcePage = {
  rows: [{ id: 'a', name: 'A', status: 'DRAFT', modified_date: '2026-01-01T00:00:00.000Z', last_run_date: '' }],
  outcome: { kind: 'hit', shared: false },
  page: {
    kind: 'page',
    body: { etag: '', lastModified: undefined, next: undefined, cursor, br: Buffer.alloc(0), identityBytes: 0 },
    ...{ fetchedAt: 0, freshUntil: 1, generation: 1, failedAt: undefined },
  },
};
const look = async () => {
  looked++;
  return page;
};
const pages: SourcePages = { get: look, held: look, fetchedAtMs: () => 0, isFresh: () => true };

test('A search for the counts of a campaign ends', async () => {
  looked = 0;
  expect(await heldSummary(pages, new Set(['unknown']))).toBeUndefined();
  expect(looked).toBeLessThanOrEqual(100);
});

test('A page of the directory that no campaign matches is empty in the end', async () => {
  looked = 0;
  const query = { kind: 'first', resource: 'campaigns', campaign: noCampaign, limit: 50, filter: 'SENT' } as const;
  const { content } = await makeDirectoryPage(noOtherIds, query, pages);
  expect(content).toEqual({ rows: [], cursor: undefined });
});
