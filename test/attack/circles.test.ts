/**
 * A list of Constant Contact's whose links lead in a circle holds no request up.
 */
import { expect, test } from '@jest/globals';
import type { SourcePage, SourcePages } from '../../src/cache/recipes.ts';
import { makeDirectoryPage } from '../../src/campaigns/v3-directory.ts';
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
const pages: SourcePages = { get: look, tryGet: look, fetchedAtMs: () => 0, freshUntil: () => 0 };

test('A page of the directory that no campaign matches fails after a bound', async () => {
  const query = { kind: 'first', resource: 'campaigns', campaign: noCampaign, limit: 50, filter: 'SENT' } as const;
  await expect(makeDirectoryPage(noOtherIds, query, pages)).rejects.toMatchObject({ reason: 'circle' });
  expect(looked).toBeLessThanOrEqual(101);
});
