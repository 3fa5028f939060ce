/**
 * Files of secrets and of encryption keys that cannot be used while Sendgate runs: a restart would fail, so somebody has to know.
 */
import { randomBytes } from 'node:crypto';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { FakeClock } from './support/clock.ts';
import { type Edited, startEditedInstance } from './support/edited.ts';
import { apiKey, startSandbox, until } from './support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-secret-files-'));
const [keyFile, encryptionKeyFile] = [join(folder, 'api-key'), join(folder, 'encryption-keys')];

let sandbox: Sandbox;
let it: Edited;

beforeEach(async () => {
  writeFileSync(keyFile, apiKey);
  writeFileSync(encryptionKeyFile, randomBytes(32).toString('base64'));
  const clock = new FakeClock(Date.parse('2026-03-03T00:00:00Z'));
  sandbox = await startSandbox({ clock });
  it = await startEditedInstance(sandbox, {}, clock, {
    CONSTANT_CONTACT_API_KEY: '',
    CONSTANT_CONTACT_API_KEY_FILE: keyFile,
    SENDGATE_CACHE_ENCRYPTION_KEY_FILE: encryptionKeyFile,
  });
});
afterEach(async () => {
  await it.close();
  await sandbox.stop();
});

async function unreadable(): Promise<number> {
  const text = await it.service.metrics.registry.metrics();
  return Number(/^sendgate_secrets_unreadable (.*)$/m.exec(text)?.[1]);
}

test.each([
  ['removed', (file: string) => renameSync(file, `${file}.away`), (file: string) => renameSync(`${file}.away`, file)],
  ['emptied', (file: string) => writeFileSync(file, ''), (file: string) => writeFileSync(file, apiKey)],
])(
  'a secret file that is %s is counted, told at every SIGHUP, and told when it can be used again',
  async (_, spoil, mend) => {
    expect(await unreadable()).toBe(0);
    spoil(keyFile);
    it.service.reload();
    it.service.reload();
    expect(await unreadable()).toBe(1);
    expect(it.eventsOf('secret.unreadable')).toHaveLength(2);
    mend(keyFile);
    it.service.reload();
    it.service.reload();
    expect(await unreadable()).toBe(0);
    expect(it.eventsOf('secret.readable')).toMatchObject([{ secret: 'apiKey' }]);
    expect(it.eventsOf('secret.replaced')).toEqual([]);
  },
);

test('a secret file that comes back with another value is told twice: it can be used, and it is', async () => {
  rmSync(keyFile);
  it.service.reload();
  writeFileSync(keyFile, `${apiKey}-2`);
  it.service.reload();
  expect(it.eventsOf('secret.readable')).toHaveLength(1);
  expect(it.eventsOf('secret.replaced')).toHaveLength(1);
});

test('the file of the encryption keys is reread at SIGHUP too, counted, and told', async () => {
  renameSync(encryptionKeyFile, `${encryptionKeyFile}.away`);
  rmSync(keyFile);
  it.service.reload();
  expect(await unreadable()).toBe(2);
  expect(it.eventsOf('encryption_keys.unreadable')).toHaveLength(1);
  renameSync(`${encryptionKeyFile}.away`, encryptionKeyFile);
  it.service.reload();
  expect(await unreadable()).toBe(1);
  expect(it.eventsOf('encryption_keys.readable')).toHaveLength(1);
});

test('a change is noticed without SIGHUP', async () => {
  rmSync(keyFile);
  await until(async () => (await unreadable()) === 1, 'the poll finds no file');
  writeFileSync(keyFile, apiKey);
  await until(async () => (await unreadable()) === 0, 'the poll finds the file');
});
