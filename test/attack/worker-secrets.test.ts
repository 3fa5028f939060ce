/**
 * A worker that dies while the files of the secrets cannot be read: the values that are in use are the primary's, and the
 * worker that takes its place needs none.
 */
import { execFileSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from '@jest/globals';
import { freePort } from '../support/free-port.ts';
import { apiKey, startProcess, startSandbox, until, upstreamEnv } from '../support/harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-worker-secrets-'));

test.each([
  ['empty', (file: string) => writeFileSync(file, '')],
  ['gone', (file: string) => rmSync(file)],
])(
  'a worker is replaced while the files of the secrets are %s',
  async (_what, spoil) => {
    const sandbox = await startSandbox();
    sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
    const [keyFile, encryptionKeyFile] = [join(folder, 'api-key'), join(folder, 'encryption-keys')];
    writeFileSync(keyFile, apiKey);
    writeFileSync(encryptionKeyFile, randomBytes(32).toString('base64'));
    const { CONSTANT_CONTACT_API_KEY: _, ...env } = upstreamEnv(sandbox, 'v2') as Record<string, string>;
    const files = { CONSTANT_CONTACT_API_KEY_FILE: keyFile, SENDGATE_CACHE_ENCRYPTION_KEY_FILE: encryptionKeyFile };
    const sendgate = await startProcess({ ...env, ...files, SENDGATE_WORKERS: '2', PORT: String(await freePort()) });
    const workers = () =>
      execFileSync('pgrep', ['-P', String(sendgate.child.pid)], { encoding: 'utf8' })
        .trim()
        .split('\n')
        .map(Number);
    try {
      for (const file of [keyFile, encryptionKeyFile]) spoil(file);
      for (const pid of workers()) process.kill(pid, 'SIGKILL');
      const metrics = async () => (await fetch(`${sendgate.managementUrl}/metrics`)).text();
      await until(async () => /^sendgate_worker_deaths_total 2$/m.test(await metrics()), 'both are dead');
      await until(async () => /^sendgate_workers 2$/m.test(await metrics()), 'others have taken their place');
      // The primary has kept the key.
      expect((await fetch(`${sendgate.url}/campaigns/1/sends`)).status).toBe(200);
      expect(sendgate.output()).not.toContain('worker.start_failed');
    } finally {
      await sendgate.stop();
      await sandbox.stop();
    }
  },
  60_000,
);
