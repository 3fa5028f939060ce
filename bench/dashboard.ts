/**
 * `npm run bench:dashboard`: a dashboard of 40 campaigns with names, dates, counts and a page of each report, cold and an hour
 * later, with both versions, against a sandbox process with the account's limits. Sendgate runs in this process, on a clock
 * that can be put forward; the calls take their real time. Fails when a promise is broken. `--short` takes four campaigns, does not judge speed, and
 * leaves RESULTS.md alone.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import type { Service } from '../src/compose/run.ts';
import { startService } from '../src/compose/service.ts';
import { loadConfig } from '../src/config/load.ts';
import { allReports } from '../src/model/reports.ts';
import { demoCampaigns } from '../src/sandbox/demo-campaigns.ts';
import { refreshTokens } from '../src/upstream/oauth/refresh.ts';
import { ForwardClock } from '../test/support/clock.ts';
import { type Server, startServer } from './processes.ts';
import { promise, promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';

const count = short ? 4 : 40;
/** As many as a browser has connections to one server. */
const connections = 6;
const weekMs = 7 * 86_400_000;
const sandboxPort = 9550;
const sandboxUrl = `http://127.0.0.1:${sandboxPort}`;
const folder = mkdtempSync(join(tmpdir(), 'sendgate-dashboard-'));

const credentials = {
  v2: { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' },
  v3: { CONSTANT_CONTACT_CLIENT_ID: 'bench-client', CONSTANT_CONTACT_REFRESH_TOKEN: 'bench-refresh-token' },
} as const;
type Api = keyof typeof credentials;

async function order(orders: object = {}): Promise<{ callCount: number; limitAnswers: number }> {
  const answer = await fetch(`${sandboxUrl}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });
  return (await answer.json()) as { callCount: number; limitAnswers: number };
}

/** A sandbox with these campaigns alone: a newsletter a week, the latest an hour ago. */
async function begin(api: Api): Promise<Server> {
  const env = { ...credentials[api], SANDBOX_LIMITS: '1', PORT: String(sandboxPort) };
  const command = [process.execPath, 'dist/sandbox/main.js'];
  const sandbox = await startServer('sandbox', `${sandboxUrl}/_sandbox`, command, env);
  for (const { id } of demoCampaigns(Date.now())) await order({ remove: id });
  for (let n = 0; n < count; n++) {
    const newestMs = Date.now() - 3_600_000 - n * weekMs;
    await order({
      campaign: { id: String(2_000_000 + n), name: `Newsletter ${n}`, size: 12_000, newestMs, spacingMs: 100 },
    });
  }
  return sandbox;
}

function sendgate(api: Api, clock: ForwardClock): Promise<Service> {
  const readFile = (path: string) => readFileSync(path, 'utf8');
  const env = {
    ...credentials[api],
    PORT: '0',
    SENDGATE_MANAGEMENT_PORT: '0',
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
    CONSTANT_CONTACT_API: api,
    CONSTANT_CONTACT_BASE_URL: sandboxUrl,
    CONSTANT_CONTACT_TOKEN_URL: `${sandboxUrl}/oauth2/default/v1/token`,
    CONSTANT_CONTACT_TOKEN_FILE: join(folder, `${api}.json`),
  };
  return startService(loadConfig(env, readFile), {
    clock,
    readFile,
    logDestination: { lostBytes: 0, write: () => {}, pass: () => {}, close: async () => true },
    version: 'bench',
    refreshTokens: (task) => refreshTokens(task, { now: () => clock.now() }),
  });
}

/** Requests as a dashboard does: until it is answered, after the pauses that it is told. */
async function ask(url: string): Promise<unknown> {
  for (;;) {
    const answer = await fetch(url);
    const body: unknown = await answer.json();
    if (answer.status === 200) return body;
    if (answer.status !== 503) throw new Error(`${url}: ${answer.status} ${JSON.stringify(body)}`);
    await delay(Number(answer.headers.get('retry-after') ?? 1) * 1000);
  }
}

async function askAll(urls: readonly string[]): Promise<unknown[]> {
  const answers: unknown[] = [];
  const left = [...urls.entries()];
  const work = async () => {
    for (let next = left.shift(); next; next = left.shift()) answers[next[0]] = await ask(next[1]);
  };
  await Promise.all(Array.from({ length: connections }, work));
  return answers;
}

interface Shown {
  /** Seconds until names, dates and counts are there, and until all is. */
  readonly countsAfter: number;
  readonly allAfter: number;
  /** Calls for them, and for all, once refreshes have ended. */
  readonly callsForCounts: number;
  readonly calls: number;
}

interface Directory {
  readonly results: readonly { readonly id: string; readonly name: string }[];
}

/** Waits until no call is queued, and none has been made for a second and a half. */
async function refreshesEnded(status: Service['status']): Promise<void> {
  for (let before = -1; ; ) {
    const { callCount } = await order();
    if (callCount === before && status().queues.every(({ waiting }) => waiting === 0)) return;
    before = callCount;
    await delay(1_500);
  }
}

async function show({ url, status }: Service): Promise<Shown> {
  await order({ forget: true });
  const begun = performance.now();
  const { results } = (await ask(`${url}/campaigns`)) as Directory;
  if (results.length !== count) throw new Error(`${results.length} campaigns`);
  const summaries = await askAll(results.map(({ id }) => `${url}/campaigns/${id}/summary`));
  const countsAfter = (performance.now() - begun) / 1000;
  if (summaries.some((one) => (one as { sends: unknown }).sends !== 12_000)) throw new Error('wrong counts');
  await refreshesEnded(status);
  const { callCount: callsForCounts } = await order();
  const goneOn = performance.now();
  await askAll(results.flatMap(({ id }) => allReports.map(({ name }) => `${url}/campaigns/${id}/${name}`)));
  const allAfter = countsAfter + (performance.now() - goneOn) / 1000;
  await refreshesEnded(status);
  const { callCount, limitAnswers } = await order();
  promise(limitAnswers === 0, `${limitAnswers} calls over the account's limits`);
  return { countsAfter, allAfter, callsForCounts, calls: callCount };
}

const rows: string[] = [];
async function measure(api: Api): Promise<readonly [cold: Shown, later: Shown]> {
  const clock = new ForwardClock();
  const sandbox = await begin(api);
  const service = await sendgate(api, clock);
  const row = (when: string, { countsAfter, allAfter, callsForCounts, calls }: Shown) => {
    rows.push(
      `| ${api} | ${when} | ${callsForCounts} | ${countsAfter.toFixed(2)} | ${calls} | ${allAfter.toFixed(1)} |`,
    );
    console.log(rows.at(-1));
  };
  const cold = await show(service);
  row('cold', cold);
  clock.forward(3_600);
  const later = await show(service);
  row('an hour later', later);
  const stopped = service.stop();
  clock.forward(0.5);
  await stopped;
  await sandbox.stop();
  return [cold, later];
}

const [coldV2, laterV2] = await measure('v2');
const [coldV3, laterV3] = await measure('v3');
rmSync(folder, { recursive: true });

const pages = count * allReports.length;
promise(coldV2.calls === 1 + count + pages, `v2, cold: ${coldV2.calls} calls`);
promiseOfSpeed(coldV2.allAfter < 75, 'v2, cold: not within 75 s');
promiseOfSpeed(coldV3.countsAfter < 2, 'v3: directory and counts not within 2 s');
for (const later of [laterV2, laterV3]) promiseOfSpeed(later.allAfter < 2, 'an hour later: not at once');
if (!short) {
  replaceSection(
    'dashboard',
    `<!-- dashboard -->
## A dashboard of ${count} campaigns

Names, dates, counts and one page of each of the six reports, asked for over ${connections} connections, against a sandbox process with the account's limits (4 calls in any second,
10,000 a day). The campaigns are a newsletter a week to 12,000 contacts, the latest an hour old; opens go on for four weeks, clicks for three. Seconds are
real; the hour is not. An hour later, pages are served as they are held, and those that are stale are refreshed behind: their calls are counted.

| API | | calls for directory and counts | after s | calls for all | after s |
|---|---|---|---|---|---|
${rows.join('\n')}

With v3, two calls answer the directory and the counts, and each campaign's id is looked up once, ever.

Reproduce with \`npm run bench:dashboard\`.
`,
  );
}
process.exit();
