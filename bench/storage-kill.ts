/**
 * `npm run soak:storage`: Sendgate is killed with -9 two hundred times while it writes pages to its storage, and campaigns grow. After
 * each kill it has to start again, and to answer whole pages of one state of a campaign. `--short` kills twenty times and leaves
 * bench/RESULTS.md alone.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Campaign } from '../src/sandbox/campaign.ts';
import { Sandbox } from '../src/sandbox/sandbox.ts';
import { median } from './processes.ts';
import { promise, promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';

const kills = short ? 20 : 200;
const [port, managementPort] = [9560, 9561];
const folder = mkdtempSync(join(tmpdir(), 'sendgate-storage-kill-'));
const limit = 100;
const sandbox = await new Sandbox({ apiKey: 'bench-api-key', accessToken: 'bench-access-token' }).start();
const dayMs = 86_400_000;
/** Campaigns of three pages that grow, and those that only fill the disk. */
const growing = ['1', '2', '3'].map((id) => sandbox.campaign({ id, size: 250, newestMs: Date.now() - 30 * dayMs }));
const still = Array.from({ length: 40 }, (_, n) =>
  sandbox.campaign({ id: String(100 + n), size: 2_000, newestMs: Date.now() - 30 * dayMs }),
);

const env = {
  PATH: process.env['PATH'] ?? '',
  PORT: String(port),
  SENDGATE_MANAGEMENT_PORT: String(managementPort),
  SENDGATE_LOG_LEVEL: 'warn',
  CONSTANT_CONTACT_API_KEY: 'bench-api-key',
  CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token',
  CONSTANT_CONTACT_BASE_URL: sandbox.url,
  SENDGATE_STORAGE_DIRECTORY: join(folder, 'storage'),
  SENDGATE_QUOTA_PER_SECOND: '1000',
  SENDGATE_QUOTA_PER_DAY: '10000000',
  SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000000',
  SENDGATE_CACHE_MIN_FRESH_SECONDS: '1',
};

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
let failures = 0;
const fail = (what: string) => {
  failures++;
  promise(false, what);
};

interface Answer {
  readonly status: number;
  readonly cache: string;
  readonly dates: readonly number[];
  readonly next: string | undefined;
}

async function ask(target: string, headers: Record<string, string> = {}): Promise<Answer> {
  const answer = await fetch(`http://127.0.0.1:${port}${target}`, { headers });
  const body = (await answer.json()) as {
    readonly results?: readonly { readonly send_date: string }[];
    readonly meta?: { readonly pagination: { readonly next_link?: string } };
  };
  return {
    status: answer.status,
    cache: answer.headers.get('cache-status') ?? '',
    dates: (body.results ?? []).map(({ send_date }) => Date.parse(send_date)),
    next: body.meta?.pagination.next_link,
  };
}

/** Starts Sendgate, and resolves when it is ready. */
async function start() {
  const child = spawn(process.execPath, ['dist/main.js'], { env, stdio: ['ignore', 'pipe', 'inherit'] });
  const log: string[] = [];
  child.stdout?.on('data', (data: Buffer) => log.push(data.toString()));
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`http://127.0.0.1:${managementPort}/readyz`).catch(() => undefined);
    await answer?.arrayBuffer();
    if (answer?.ok) break;
    const ended = child.exitCode ?? child.signalCode;
    if (tries > 1_200 || ended !== null) {
      throw new Error(`after ${readyMs.length} kills it did not start (${ended ?? 'it runs'}): ${log.join('')}`);
    }
    await sleep(25);
  }
  return {
    kill: async (signal: 'SIGKILL' | 'SIGTERM') => {
      const exit = once(child, 'exit');
      child.kill(signal);
      await exit;
      // Damage and full disks are logged: kill -9 must leave neither.
      for (const line of log.join('').split('\n')) if (/"event":"storage\./.test(line)) fail(line);
    },
  };
}

/** Whether the dates are those of neighbouring rows, newest first. */
function isRun(campaign: Campaign, dates: readonly number[]): boolean {
  const all = Array.from({ length: campaign.size }, (_, index) => campaign.at(index).atMs);
  const from = all.indexOf(dates[0] ?? Number.NaN);
  return from >= 0 && dates.every((date, n) => date === all[from + n]);
}

let fromDisk = 0;
let asked = 0;

/** Whatever comes at once must be a page of the campaign. */
async function checkPages(): Promise<void> {
  for (const campaign of [...growing, ...still]) {
    const { id } = campaign.options;
    const callsBefore = sandbox.callCount;
    const { status, dates } = await ask(`/campaigns/${id}/sends?limit=${limit}`);
    asked++;
    if (sandbox.callCount === callsBefore) fromDisk++;
    if (status !== 200 || dates.length !== limit || !isRun(campaign, dates)) fail(`a wrong page of ${id}: ${status}`);
  }
}

/** A walk from the present first page must have every row once. */
async function checkWalks(): Promise<void> {
  for (const campaign of growing) {
    const target = `/campaigns/${campaign.options.id}/sends?limit=${limit}`;
    let page = await ask(target, { 'Cache-Control': 'no-cache' });
    for (let tries = 0; page.dates[0] !== campaign.at(0).atMs && tries < 100; tries++) {
      await sleep(50);
      page = await ask(target, { 'Cache-Control': 'no-cache' });
    }
    const dates = [...page.dates];
    while (page.next !== undefined) {
      page = await ask(page.next);
      dates.push(...page.dates);
    }
    if (dates.length !== campaign.size || !isRun(campaign, dates)) {
      fail(`a walk of ${campaign.options.id} has ${dates.length} of ${campaign.size} rows`);
    }
  }
}

const readyMs: number[] = [];
for (let n = 0; n <= kills; n++) {
  const startedAt = performance.now();
  const sendgate = await start();
  readyMs.push(performance.now() - startedAt);
  if (n > 0) await checkPages();
  await checkWalks();
  if (n === kills) {
    await sendgate.kill('SIGTERM');
    break;
  }
  // New pages, and new first pages of walks, until it dies.
  for (const { options } of growing) sandbox.addSends(options.id, 1 + Math.floor(Math.random() * 5));
  const writing = [...growing, ...still].flatMap(({ options: { id } }, at) => [
    ask(
      `/campaigns/${id}/sends?limit=${limit}`,
      at < growing.length || n % 4 === 0 ? { 'Cache-Control': 'no-cache' } : {},
    ),
    ask(`/campaigns/${id}/sends?limit=${1 + Math.floor(Math.random() * 499)}`),
  ]);
  const settled = Promise.allSettled(writing);
  await sleep(Math.random() * 120);
  await sendgate.kill('SIGKILL');
  await settled;
}
await sandbox.stop();
const left = readdirSync(folder, { recursive: true })
  .map(String)
  .filter((name) => /tmp|new/.test(name));
if (left.length > 0) fail(`left behind: ${left.join(', ')}`);
promiseOfSpeed(fromDisk >= asked / 2, `only ${fromDisk} of ${asked} pages came from the disk`);
rmSync(folder, { recursive: true });

const text = `Killed ${kills} times, each while some eighty pages were being fetched and written and three campaigns had just grown. ${asked.toLocaleString('en')} pages asked after the starts, ${fromDisk.toLocaleString('en')} answered without a call; ${(3 * (kills + 1)).toLocaleString('en')} walks. Wrong or torn pages, walks with a gap or a repeat, starts that failed: ${failures}. From start to ready: median ${(median(readyMs) / 1000).toFixed(2)} s, at most ${(Math.max(...readyMs) / 1000).toFixed(2)} s.`;
console.log(text);
if (!short) {
  replaceSection(
    'storage-kill',
    `<!-- storage-kill -->
## Kill -9 while pages are written

${text}

Reproduce with \`npm run soak:storage\`.
`,
  );
}
