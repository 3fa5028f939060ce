/**
 * What becomes of lines that cannot be written: answers go on, and stopping works.
 */
import { type ChildProcess, execFileSync, type StdioOptions, spawn } from 'node:child_process';
import { once } from 'node:events';
import { closeSync, constants, mkdtempSync, openSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import { logDestination } from '../../src/observability/log-destination.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { freePort } from '../support/free-port.ts';
import { type Environment, startSandbox, until, upstreamEnv } from '../support/harness.ts';

const mainFile = fileURLToPath(new URL('../../dist/main.js', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sendgate-logs-'));
const running = new Set<ChildProcess>();
/** Of programs behind a terminal, which are no children of ours. */
const detached = new Set<number>();
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startSandbox();
  sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
});
afterEach(() => {
  for (const child of running) child.kill('SIGKILL');
  running.clear();
  for (const pid of detached) if (isRunning(pid)) process.kill(pid, 'SIGKILL');
  detached.clear();
});
afterAll(async () => {
  await sandbox.stop();
});

const fullDisk = () => openSync('/dev/full', 'w');

/** Starts the program with these as stdin, stdout and stderr. Resolves when it answers. */
async function startWith(stdio: StdioOptions, env: Environment = {}, command = [process.execPath, mainFile]) {
  const [file = '', ...args] = command;
  const port = await freePort();
  const url = `http://127.0.0.1:${port}`;
  const child = spawn(file, args, {
    stdio,
    env: {
      ...{ PORT: String(port), SENDGATE_MANAGEMENT_PORT: '0', PATH: process.env['PATH'] ?? '' },
      ...{ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000', ...upstreamEnv(sandbox), ...env },
    },
  });
  running.add(child);
  const exited = once(child, 'exit').then(([code, signal]) => code ?? signal);
  const get = async () => (await fetch(`${url}/campaigns/1/sends`)).status;
  await until(
    () =>
      get()
        .then((status) => status === 200)
        .catch(() => child.exitCode !== null),
    'it answers',
  );
  return { child, exited, get };
}

/** Whether it goes on answering when lines have been written: 256 of them are written at once. */
async function answers(get: () => Promise<number>, requests = 300): Promise<boolean> {
  for (let round = 0; round < 2; round++) {
    const statuses = await Promise.all(Array.from({ length: requests }, get));
    if (statuses.some((status) => status !== 200)) return false;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return true;
}

/** What it ends with after SIGTERM: it has fifteen seconds. */
async function stopped({ child, exited }: { child: ChildProcess; exited: Promise<unknown> }): Promise<unknown> {
  child.kill('SIGTERM');
  return Promise.race([exited, new Promise((resolve) => setTimeout(resolve, 15_000, 'still running').unref())]);
}

describe('Requests are served and SIGTERM ends the process', () => {
  test('with stdout and stderr on a full disk', async () => {
    const it = await startWith(['ignore', fullDisk(), fullDisk()]);
    expect(await answers(it.get)).toBe(true);
    expect(await stopped(it)).toBe(0);
  });

  test('with workers on a full disk that also write to stderr', async () => {
    const noise = `data:text/javascript,process.on('SIGUSR2',()=>process.stderr.write('noise'))`;
    const env = { SENDGATE_WORKERS: '2', NODE_OPTIONS: `--import=${noise}` };
    const it = await startWith(['ignore', fullDisk(), fullDisk()], env);
    const workers = readFileSync(`/proc/${it.child.pid}/task/${it.child.pid}/children`, 'utf8').trim().split(' ');
    expect(workers).toHaveLength(2);
    for (const pid of [...workers, it.child.pid]) process.kill(Number(pid), 'SIGUSR2');
    expect(await answers(it.get)).toBe(true);
    expect(await stopped(it)).toBe(0);
  });

  test('with a pipe that has lost its reader', async () => {
    const it = await startWith(['ignore', 'pipe', 'pipe']);
    it.child.stdout?.destroy();
    it.child.stderr?.destroy();
    expect(await answers(it.get)).toBe(true);
    expect(await stopped(it)).toBe(0);
  });

  test('with a pipe that is no longer drained', async () => {
    const pipe = join(folder, 'unread');
    execFileSync('mkfifo', [pipe]);
    const fd = openSync(pipe, 'r+');
    const it = await startWith(['ignore', fd, fd]);
    expect(await answers(it.get)).toBe(true);
    expect(await stopped(it)).toBe(0);
    closeSync(fd);
  });

  test.each([
    ['vanished', 'SIGKILL'],
    // The thread that writes to it stands still, and process.exit would wait for it.
    ['stopped reading', 'SIGSTOP'],
  ] as const)('with a terminal that has %s', async (_, signal) => {
    const pidFile = join(folder, `${signal}.pid`);
    const line = `echo $$ > ${pidFile}; exec ${process.execPath} ${mainFile}`;
    const it = await startWith(['pipe', 'ignore', 'ignore'], {}, ['script', '-qec', line, '/dev/null']);
    const pid = Number(readFileSync(pidFile, 'utf8'));
    detached.add(pid);
    it.child.kill(signal);
    expect(await answers(it.get, 400)).toBe(true);
    process.kill(pid, 'SIGTERM');
    await until(() => !isRunning(pid), 'it has ended');
    it.child.kill('SIGCONT');
  });

  test('if the log line about an error cannot be written either', async () => {
    const port = new URL(sandbox.url).port; // It is taken.
    const it = await startWith(['ignore', fullDisk(), fullDisk()], { SENDGATE_MANAGEMENT_PORT: port });
    expect(await it.exited).toBe(69);
  });
});

function isRunning(pid: number): boolean {
  try {
    // A process that has ended and that its parent has not asked for is a zombie.
    return !/^State:\s+Z/m.test(readFileSync(`/proc/${pid}/status`, 'utf8'));
  } catch {
    return false;
  }
}

describe('Lines that could not be written', () => {
  test('are written when possible, and dropped ones are counted in a line', async () => {
    const file = join(folder, 'log');
    const fd = fullDisk();
    const destination = logDestination(fd, 10_000);
    for (let n = 0; n < 30; n++) destination.pass(Buffer.from(`${String(n).padEnd(999)}\n`));
    await destination.close(); // The first try has failed.
    closeSync(fd);
    expect(openSync(file, 'w')).toBe(fd); // There is room again.
    await until(() => readFileSync(file, 'utf8').includes('lostBytes'), 'they are written');
    const lines = readFileSync(file, 'utf8').trimEnd().split(/ *\n/);
    expect(lines.slice(0, 10)).toEqual(Array.from({ length: 10 }, (_, n) => String(n)));
    expect(JSON.parse(lines[10] ?? '')).toMatchObject({ level: 'warn', lostBytes: 20_000, reason: 'ENOSPC' });
    expect(lines).toHaveLength(11);
    expect(destination.lostBytes).toBe(20_000);
    closeSync(fd);
  });

  test('wait for the next reader of a pipe', async () => {
    const pipe = join(folder, 'left');
    execFileSync('mkfifo', [pipe]);
    const reader = openSync(pipe, constants.O_RDONLY | constants.O_NONBLOCK);
    const program = `
      import { logDestination } from ${JSON.stringify(new URL('../../dist/observability/log-destination.js', import.meta.url))};
      const destination = logDestination();
      process.stdin.on('data', (line) => destination.pass(line));`;
    const stdout = openSync(pipe, 'w');
    const writer = spawn(process.execPath, ['--input-type=module', '-e', program], {
      stdio: ['pipe', stdout, 'inherit'],
    });
    running.add(writer);
    closeSync(stdout);
    closeSync(reader);
    writer.stdin?.write('a line\n');
    await new Promise((resolve) => setTimeout(resolve, 200));
    const next = spawn('head', ['-n1', pipe], { stdio: ['ignore', 'pipe', 'ignore'] });
    running.add(next);
    let text = '';
    next.stdout.on('data', (part) => {
      text += part;
    });
    await until(() => text === 'a line\n', 'it is written');
  });

  test('do not delay the end of the process', async () => {
    const destination = logDestination(fullDisk(), 10_000);
    destination.write('a line\n');
    expect(await destination.close()).toBe(true);
  });
});
