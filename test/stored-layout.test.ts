/**
 * Pages outlive the version of Sendgate that stored them, and those on the disk are answered as they are.
 */
import { createHash } from 'node:crypto';
import { expect, test } from '@jest/globals';
import { z } from 'zod';
import { recordVersion } from '../src/cache/page-record.ts';
import type { ResourceName } from '../src/model/resource.ts';
import { resources } from '../src/model/resources.ts';
import { renderPage } from '../src/reports/page-json.ts';

/** A resource's fields, with their order and types, and the frame around its items. */
function layoutOf(name: ResourceName): string {
  const { schema, body } = resources[name];
  const described = JSON.stringify(z.toJSONSchema(schema), (key, value) =>
    ['description', 'examples'].includes(key) ? undefined : value,
  );
  const query = { kind: 'first', campaign: '1', resource: name, limit: 10 } as const;
  const frame = renderPage('/base', query, { rows: [{ id: 'a' }], cursor: body === 'page' ? 'bmV4dA' : undefined });
  return createHash('sha256').update(described).update(JSON.stringify(frame)).digest('hex').slice(0, 8);
}

test('A layout of what is stored belongs to its version', () => {
  const layouts = Object.fromEntries(Object.keys(resources).map((name) => [name, layoutOf(name as ResourceName)]));
  // Where this fails, stored pages would be answered in their old layout: raise `recordVersion`, then write the new digests here.
  expect({ recordVersion, ...layouts }).toEqual({
    recordVersion: 5,
    bounces: '533d532d',
    campaign: '2b408380',
    campaigns: '96a9c0ed',
    clicks: 'abd7aaed',
    forwards: '445871f5',
    links: '39b0411c',
    opens: '9533e16e',
    sends: '4df56ee7',
    summary: 'b147c972',
    unsubscribes: '64da2ef1',
    'v2-details': '81d4ce4b',
    'v3-email': 'a45098ed',
    'v3-emails': '29912bff',
    'v3-stats': '8570aa90',
    'v3-summaries': '4c934caf',
  });
});
