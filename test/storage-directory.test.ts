/**
 * The storage directory: who has it, what lies in it, and what happens where it cannot be used.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  statSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import { ForwardClock } from './support/clock.ts';
import { type Environment, type Harness, startInstance, startSandbox, until } from './support/harness.ts';
import { RedisServer } from './support/redis.ts';

const path = '/campaigns/1/sends';
let folder: string;
let directory: string;
let sandbox: Sandbox;
/** At noon, UTC: no test sees two days. */
const clock = new ForwardClock();
clock.stepWall(43_200_000 - (Date.now() % 86_400_000));
const running = new Set<Harness>();

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'sendgate-directory-'));
  directory = join(folder, 'var', 'storage');
  sandbox = await startSandbox({ clock });
  sandbox.campaign({ id: '1', size: 3, newestMs: clock.now() - 86_400_000 });
});
afterEach(async () => {
  for (const one of [...running]) await close(one);
  await sandbox.stop();
});

async function run(env: Environment = {}): Promise<Harness> {
  const it = await startInstance(sandbox, clock, { SENDGATE_STORAGE_DIRECTORY: directory, ...env }, 'v2');
  running.add(it);
  return it;
}

async function close(it: Harness): Promise<void> {
  running.delete(it);
  await it.close();
}

const eventsOf = ({ lines }: Harness, prefix = 'storage.') =>
  lines.map((line) => JSON.parse(line)).filter(({ event }) => String(event).startsWith(prefix));
const metricsOf = async ({ service }: Harness) => (await fetch(`${service.managementUrl}/metrics`)).text();
const today = () => new Date(clock.now()).toISOString().slice(0, 10);
const countInFile = () => JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8')).calls;
const modeOf = (at: string) => statSync(at).mode & 0o777;
const pages = () => join(directory, 'pages');
const filesOf = (campaign: string) => readdirSync(join(pages(), campaign));
const finishedFilesOf = (campaign: string) => filesOf(campaign).filter((name) => !name.endsWith('.new'));
const isStored = () => until(() => existsSync(join(pages(), '1')) && finishedFilesOf('1').length === 2, 'it is stored');

test('is created for its owner only, like the files in it', async () => {
  const umask = process.umask(0o022);
  const it = await run();
  await it.get(path);
  await isStored();
  process.umask(umask);
  expect([modeOf(directory), modeOf(pages()), modeOf(join(pages(), '1'))]).toEqual([0o700, 0o700, 0o700]);
  const files = [join(directory, 'state.json'), ...filesOf('1').map((name) => join(pages(), '1', name))];
  expect(files.map(modeOf)).toEqual(files.map(() => 0o600));
  expect(eventsOf(it)).toEqual([]);
  await close(it);
  expect(readdirSync(directory).sort()).toEqual(['pages', 'state.json']);
});

test('that others may read is used as it is, which is told', async () => {
  mkdirSync(directory, { recursive: true });
  chmodSync(directory, 0o755);
  const it = await run();
  expect(eventsOf(it)).toMatchObject([{ event: 'storage.open_to_others', level: 'warn', directory, mode: '755' }]);
  expect(modeOf(directory)).toBe(0o755);
});

test('shows in status and metrics', async () => {
  const it = await run();
  await it.get(path);
  await isStored();
  await until(() => it.service.status().storage.pages === 1, 'it is counted');
  expect(it.service.status().storage).toEqual({ state: 'up', bytes: 8_192, pages: 1 });
  const metrics = await metricsOf(it);
  expect(metrics).toContain('sendgate_storage_down 0');
  expect(metrics).toContain('sendgate_storage_bytes 8192');
  expect(metrics).toContain('sendgate_storage_pages 1');
  expect(metrics).toContain('sendgate_storage_operations_total{operation="write",outcome="ok"} 2');
});

describe('that cannot be used', () => {
  test.each<[string, string, () => void]>([
    ['is a file', 'ENOTDIR', () => writeFileSync(directory, 'mine')],
    [
      'is below a file',
      'ENOTDIR',
      () => [
        rmSync(join(folder, 'var'), { recursive: true, maxRetries: 10 }),
        writeFileSync(join(folder, 'var'), 'mine'),
      ],
    ],
    [
      'is where nothing can be created',
      'ENOENT',
      () => {
        directory = '/proc/sendgate/storage';
      },
    ],
    [
      'has something else as its lock',
      'ENOTSOCK',
      () => [mkdirSync(directory), writeFileSync(join(directory, 'lock'), 'mine')],
    ],
  ])(
    'because it %s is told with the reason, every page is served, and no purge is complete',
    async (_, code, spoil) => {
      mkdirSync(join(folder, 'var'));
      spoil();
      const it = await run();
      const file = join(directory, 'state.json');
      expect(eventsOf(it, 'state.unwritable')).toMatchObject([{ level: 'error', code, file }]);
      expect((await it.get(path)).status).toBe(200);
      expect(eventsOf(it)).toMatchObject([{ event: 'storage.unavailable', level: 'warn', directory, code }]);
      expect(it.service.status().storage.state).toBe('down');
      expect(await metricsOf(it)).toContain('sendgate_storage_down 1');
      expect((await purge(it)).status).toBe(503);
    },
  );

  test('counts the day on, as far as it is known', async () => {
    mkdirSync(directory, { recursive: true });
    writeFileSync(join(directory, 'lock'), 'mine');
    const stored = JSON.stringify({ day: today(), calls: 41, teams: [{ team: 'default', calls: 41, kept: 0 }] });
    writeFileSync(join(directory, 'state.json'), stored);
    const it = await run();
    await it.get(path);
    expect(it.service.status().upstream.callsToday).toBe(42);
    await close(it);
    expect(readFileSync(join(directory, 'state.json'), 'utf8')).toBe(stored);
  });

  test('any more is told, and its pages are fetched', async () => {
    const it = await run();
    await it.get(path);
    await isStored();
    renameSync(directory, `${directory}.away`); // In one step: something may be being written.
    writeFileSync(directory, 'mine');
    expect((await it.get(`${path}?limit=2`)).status).toBe(200);
    expect((await it.get(path)).status).toBe(200);
    await until(() => eventsOf(it).length > 0, 'it is told');
    expect(eventsOf(it)[0]).toMatchObject({ level: 'warn' });
    expect((await purge(it)).status).toBe(503);
    rmSync(directory);
  });
});

/** In a container, often only with a privilege. */
const mayMount = spawnSync('unshare', ['--mount', 'true']).status === 0;

(mayMount ? describe : describe.skip)('on a volume', () => {
  const mount = (...options: string[]) => execFileSync('mount', [...options, directory]);
  beforeEach(() => {
    mkdirSync(directory, { recursive: true, mode: 0o700 });
    mount('-t', 'tmpfs', '-o', 'size=64k,mode=700', 'tmpfs');
  });
  afterEach(async () => {
    for (const one of [...running]) await close(one);
    execFileSync('umount', [directory]);
  });

  test('that is smaller than storage.maxBytes: pages go, the last ones stay, and no call is lost from the count', async () => {
    const it = await run();
    for (let limit = 1; limit <= 40; limit++) {
      expect((await it.get(`${path}?limit=${limit}`)).status).toBe(200);
      await until(() => countInFile() === limit, 'the call is counted');
    }
    await until(
      () => eventsOf(it, 'state.unwritable').length === eventsOf(it, 'state.writable').length,
      'it is written',
    );
    expect([eventsOf(it), eventsOf(it, 'state.'), it.service.status().storage.state]).toEqual([[], [], 'up']);
    await close(it);
    sandbox.forget();
    const again = await run();
    expect((await again.get(`${path}?limit=40`)).status).toBe(200);
    expect(sandbox.callCount).toBe(0);
  });

  test('that becomes read-only: it is told, pages are served from it, and a purge says that it is not complete', async () => {
    const it = await run();
    await it.get(path);
    await isStored();
    await close(it);
    const again = await run();
    mount('-o', 'remount,ro');
    sandbox.forget();
    expect((await again.get(path)).status).toBe(200);
    expect(sandbox.callCount).toBe(0);
    await again.get(`${path}?limit=2`);
    await until(() => eventsOf(again).length > 0, 'it is told');
    expect(eventsOf(again)).toMatchObject([{ event: 'storage.unavailable', code: 'EROFS' }]);
    const answer = await purge(again);
    expect([answer.status, await answer.json()]).toMatchObject([503, { everywhere: false }]);
    sandbox.forget();
    expect((await again.get(path)).status).toBe(200);
    expect(sandbox.callCount).toBe(1);
    mount('-o', 'remount,rw');
    expect((await purge(again)).status).toBe(200);
  });

  test('that is read-only from the start: it is told, and every page is served', async () => {
    mount('-o', 'remount,ro');
    const it = await run();
    expect((await it.get(path)).status).toBe(200);
    expect(eventsOf(it)).toMatchObject([{ event: 'storage.unavailable', code: 'EROFS' }]);
  });

  test('that is full from the start: it is told, and every page is served', async () => {
    writeFileSync(join(directory, 'ballast'), Buffer.alloc(64 * 1024));
    const it = await run();
    expect((await it.get(path)).status).toBe(200);
    await until(() => eventsOf(it).length > 0, 'it is told');
    expect(eventsOf(it)).toMatchObject([{ event: 'storage.unavailable', code: 'ENOSPC' }]);
  });
});

describe('with a second process', () => {
  test('is had by the first; the second runs without it', async () => {
    const first = await run();
    const second = await run({ SENDGATE_SERVER_DRAIN_TIMEOUT_MS: '50' });
    expect(eventsOf(second)).toMatchObject([{ event: 'storage.unavailable', code: 'in-use' }]);
    for (const it of [first, second]) expect((await it.get(path)).status).toBe(200);
    expect([first, second].map((it) => it.service.status().storage.state)).toEqual(['up', 'down']);
  });

  test('passes to it when the first stops', async () => {
    const first = await run();
    await first.get(path);
    const starting = run();
    await close(first);
    const second = await starting;
    expect(eventsOf(second)).toEqual([]);
    sandbox.forget();
    expect((await second.get(path)).status).toBe(200);
    expect([sandbox.callCount, second.service.status().upstream.callsToday]).toEqual([0, 1]);
  });
});

describe('that is removed and created again', () => {
  let minutes: Set<() => void>;
  const minuteEnds = () => {
    for (const run of [...minutes]) run();
  };

  async function runByMinutes(): Promise<Harness> {
    minutes = new Set();
    const byMinutes = new (class extends ForwardClock {
      override after(ms: number, run: () => void) {
        if (ms !== 60_000) return super.after(ms, run);
        const once = () => {
          minutes.delete(once);
          run();
        };
        minutes.add(once);
        return () => void minutes.delete(once);
      }
    })();
    const it = await startInstance(sandbox, byMinutes, { SENDGATE_STORAGE_DIRECTORY: directory }, 'v2');
    running.add(it);
    renameSync(directory, `${directory}-before`);
    mkdirSync(directory, { mode: 0o700 });
    return it;
  }

  test('is locked again within a minute, and a second process runs without it', async () => {
    const first = await runByMinutes();
    minuteEnds();
    await until(() => existsSync(join(directory, 'lock')), 'it is locked');
    const second = await run({ SENDGATE_SERVER_DRAIN_TIMEOUT_MS: '50' });
    expect(eventsOf(second)).toMatchObject([{ event: 'storage.unavailable', code: 'in-use' }]);
    await first.get(path);
    await isStored();
    expect(eventsOf(first)).toEqual([]);
    await close(first);
    expect(existsSync(join(directory, 'lock'))).toBe(false);
  });

  test('is used again within a minute, though nobody asks', async () => {
    const it = await runByMinutes();
    renameSync(directory, `${directory}-gone`);
    await it.get(path);
    await until(() => eventsOf(it).length + eventsOf(it, 'state.').length === 2, 'it is missed');
    renameSync(`${directory}-gone`, directory);
    minuteEnds();
    await until(async () => (await metricsOf(it)).includes('sendgate_storage_down 0'), 'it is used again');
    expect(JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8'))).toMatchObject({ calls: 1 });
    const names = [...eventsOf(it), ...eventsOf(it, 'state.')].map(({ event }) => event);
    expect(names).toEqual(['storage.unavailable', 'storage.available', 'state.unwritable', 'state.writable']);
  });

  test('is left within a minute to a process that has locked it meanwhile', async () => {
    const first = await runByMinutes();
    const second = await run();
    expect(eventsOf(second)).toEqual([]);
    minuteEnds();
    await until(() => eventsOf(first).length > 0, 'it is noticed');
    expect(eventsOf(first)).toMatchObject([{ event: 'storage.unavailable', code: 'in-use' }]);
    expect(eventsOf(first, 'state.')).toMatchObject([{ event: 'state.unwritable', code: 'in-use' }]);
    expect((await first.get(path)).status).toBe(200);
    expect((await purge(first)).status).toBe(503);
    expect(first.service.status().storage.state).toBe('down');
    await close(first);
    expect(readdirSync(directory)).toEqual(['lock']);
    await close(second);
  });
});

const purge = ({ service }: Harness, what = 'everything') =>
  fetch(`${service.managementUrl}/purge?${what}`, { method: 'POST' });

test('does not bring a purged campaign back while Sendgate runs, if its files are put back', async () => {
  const file = join(folder, 'keys');
  writeFileSync(file, `${randomBytes(32).toString('base64')}\n`);
  const it = await run({ SENDGATE_CACHE_ENCRYPTION_KEY_FILE: file });
  await it.get(path);
  await isStored();
  const [kept, campaign] = [join(folder, 'kept'), join(pages(), '1')];
  cpSync(campaign, kept, { recursive: true });
  clock.forward(1);
  const purgeAndPutBack = async () => {
    expect((await purge(it, 'campaign=1')).status).toBe(200);
    cpSync(kept, campaign, { recursive: true });
  };
  await purgeAndPutBack();
  const answer = await it.get(path);
  expect([answer.headers.get('cache-status'), sandbox.callCount]).toEqual([expect.stringContaining('fwd='), 2]);
  await purgeAndPutBack();
  sandbox.fault({ kind: 'status', status: 503 });
  expect((await it.get(path)).status).toBe(502);
});

test('holds nothing of a purged campaign', async () => {
  sandbox.campaign({ id: '2', size: 3, newestMs: clock.now() });
  const it = await run();
  for (const id of ['1', '2']) await it.get(`/campaigns/${id}/sends`);
  await isStored();
  const answer = await purge(it, 'campaign=1');
  expect([answer.status, await answer.json()]).toEqual([200, { pages: 1, everywhere: true }]);
  expect(readdirSync(pages())).toEqual(['2']);
  expect((await purge(it)).status).toBe(200);
  expect(readdirSync(pages())).toEqual([]);
});

test('takes over the file of an earlier version once', async () => {
  const stateFile = join(folder, 'quota.json');
  writeFileSync(
    stateFile,
    JSON.stringify({ day: today(), calls: 41, teams: [{ team: 'default', calls: 41, kept: 0 }] }),
  );
  const env = { SENDGATE_QUOTA_STATE_FILE: stateFile };
  const first = await run(env);
  expect(first.service.status().upstream.callsToday).toBe(41);
  expect(eventsOf(first, 'quota.state')).toMatchObject([{ event: 'quota.state_file_deprecated', level: 'warn' }]);
  await first.get(path);
  await close(first);
  expect(JSON.parse(readFileSync(stateFile, 'utf8')).calls).toBe(41);
  const second = await run(env);
  expect(second.service.status().upstream.callsToday).toBe(42);
});

test('holds the state and no pages while there is a Redis', async () => {
  const redis = await RedisServer.start();
  try {
    const before = await run();
    await before.get(path);
    await isStored();
    await close(before);
    const it = await run({ REDIS_URL: redis.url });
    await it.get(`${path}?limit=2`);
    await until(() => !existsSync(join(pages(), '1')), 'its pages are removed');
    renameSync(directory, `${directory}.away`);
    await it.get(`${path}?limit=3`);
    await until(() => it.service.status().storage.state === 'down', 'the state file cannot be written');
    expect(eventsOf(it, 'state.')).toMatchObject([{ event: 'state.unwritable', code: 'ENOENT' }]);
    renameSync(`${directory}.away`, directory);
    await it.get(`${path}?limit=4`);
    await until(() => it.service.status().storage.state === 'up', 'it can be written');
    await close(it);
    expect(readdirSync(directory).sort()).toEqual(['pages', 'state.json']);
    expect(JSON.parse(readFileSync(join(directory, 'state.json'), 'utf8'))).toMatchObject({ calls: 4 });
  } finally {
    await redis.stop();
  }
});
