/**
 * What is fetched ahead is paid by the team that walks.
 */
import { createHash } from 'node:crypto';
import { afterEach, expect, test } from '@jest/globals';
import { type Harness, type PageJson, start, until } from '../support/harness.ts';

let it: Harness;
afterEach(() => it.close());

const digest = (token: string) => createHash('sha256').update(token).digest('hex');
const teams = ['a', 'b'].map((name) => ({ name, tokensSha256: [digest(`token-of-${name}`)] }));
const as = (team: string) => ({ authorization: `Bearer token-of-${team}` });

test("a team that follows a cursor makes no other team's calls from the same address", async () => {
  it = await start({ SENDGATE_TEAMS: JSON.stringify(teams) });
  for (const id of ['1', '2', '3']) it.sandbox.campaign({ id, size: 50, newestMs: it.clock.now() - 86_400_000 });
  const head = (id: string) => `/campaigns/${id}/sends?limit=10`;
  const { meta } = (await (await it.get(head('1'), as('a'))).json()) as PageJson;
  await it.get(meta.pagination.next_link ?? '', as('a'));
  await until(() => it.sandbox.callCount === 3, 'the page behind is fetched ahead');

  await it.get(head('2'), as('b'));
  await it.get(head('3'), as('a'));
  await until(() => it.sandbox.callCount >= 5, 'what a reads next is fetched ahead');
  await new Promise((resolve) => setTimeout(resolve, 50));
  const paid = Object.fromEntries(it.service.status().teams.map(({ team, calls }) => [team, calls]));
  expect(paid).toMatchObject({ a: 5, b: 1 });
});
