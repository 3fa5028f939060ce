/**
 * With `storage.directory`, a restart costs nothing.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { ForwardClock } from './support/clock.ts';
import { api, type Environment, type Harness, startInstance, startSandbox } from './support/harness.ts';

let folder: string;
let sandbox: Sandbox;
let it: Harness;
const clock = new ForwardClock();
const open: Harness[] = [];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-storage-'));
  sandbox = await startSandbox({ clock });
  for (const id of ['1', '2']) sandbox.campaign({ id, size: 30, newestMs: Date.now() });
  await run();
});
afterEach(async () => {
  for (const one of open.splice(0)) await one.close();
  await sandbox.stop();
  rmSync(folder, { recursive: true });
});

async function run(env: Environment = {}): Promise<Harness> {
  it = await startInstance(sandbox, clock, { SENDGATE_STORAGE_DIRECTORY: join(folder, 'storage'), ...env });
  open.push(it);
  return it;
}

async function restart(env: Environment = {}): Promise<void> {
  await open.pop()?.close();
  await run(env);
}

describe(`a restart with ${api}`, () => {
  test('serves the pages of before, without a call', async () => {
    const before = await (await it.get('/campaigns/1/sends?limit=10')).text();
    const calls = sandbox.callCount;
    await restart();
    const answer = await it.get('/campaigns/1/sends?limit=10');
    expect([answer.status, await answer.text()]).toEqual([200, before]);
    expect(sandbox.callCount).toBe(calls);
  });
});
