/**
 * Whatever ends a connection ends all that was asked on it: waits, export places, log lines, metrics.
 */
import { setTimeout as pause } from 'node:timers/promises';
import { afterEach, describe, test } from '@jest/globals';
import { type Environment, type Harness, start, until } from '../support/harness.ts';
import { dialDeaf, wire } from '../support/raw.ts';

let it: Harness;
afterEach(() => it?.close());

async function begin(env: Environment = {}): Promise<void> {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 300_000, newestMs: Date.now() - 86_400_000 });
}

/** Lines of requests that were logged, by status. */
const logged = (status: number) => it.lines.filter((line) => line.includes(`"status":${status}`)).length;
const counted = async (status: number) => {
  const text = await (await fetch(`${it.service.managementUrl}/metrics`)).text();
  const values = [...text.matchAll(new RegExp(`^sendgate_requests_total\\{.*status="${status}".*\\} (\\d+)$`, 'gm'))];
  return values.reduce((sum, [, count]) => sum + Number(count), 0);
};
const exportStatus = async () => {
  const answer = await fetch(`${it.url}/campaigns/1/sends.csv`);
  await answer.body?.cancel();
  return answer.status;
};

describe('a connection that reads nothing and is reset', () => {
  test('gives the place of an export back that was queued behind four big answers', async () => {
    await begin();
    const big = wire('/assets/site/vendor/swagger-ui-bundle.js');
    for (let n = 0; n < 4; n++) {
      const socket = await dialDeaf(it.url);
      socket.write(big.repeat(4) + wire('/campaigns/1/sends.csv'));
      await pause(100);
      socket.resetAndDestroy();
    }
    await until(async () => (await exportStatus()) === 200, 'the team exports again');
    await until(() => it.lines.filter((line) => line.includes('"status":499')).length >= 4, 'their ends are logged');
    await until(async () => {
      const text = await (await fetch(`${it.service.managementUrl}/metrics`)).text();
      return text.includes('sendgate_exports_running 0\n');
    }, 'no export runs');
  });

  test('leaves a line and a count for each of forty misses, and ends their waits', async () => {
    await begin({ SENDGATE_CONSTANT_CONTACT_RETRIES: '0' });
    it.sandbox.fault({ kind: 'hang' });
    const socket = await dialDeaf(it.url);
    const misses = Array.from({ length: 40 }, (_, n) => wire(`/campaigns/1/sends?limit=${n + 1}`)).join('');
    socket.write(misses);
    await until(() => it.sandbox.callCount === 40, 'all are asked for');
    socket.resetAndDestroy();
    await until(() => logged(499) === 40, 'forty lines');
    await until(async () => (await counted(499)) === 40, 'forty are counted');
  });
});
