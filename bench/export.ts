/**
 * `npm run bench:export`: a million sends from each version of the API, cold and cached, in both formats: that every send comes
 * once, at which speed and in how much memory; then a slow reader, and one that disconnects.
 * Fails when a promise is broken. `--short` takes 20,000 sends, does not judge speed, and leaves RESULTS.md alone.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http, { type IncomingMessage } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { Campaign, type CampaignOptions } from '../src/sandbox/campaign.ts';
import { contactIdOf } from '../src/sandbox/v3.ts';
import { median, type Server, startServer } from './processes.ts';
import { promise, promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';

const size = short ? 20_000 : 1_000_000;
const rounds = short ? 1 : 3;
const mebibyte = 1024 * 1024;
const node = process.execPath;
const folder = mkdtempSync(join(tmpdir(), 'sendgate-export-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const rows: string[] = [];
let nextPort = 9400;
const formats = ['csv', 'ndjson'] as const;
type Format = (typeof formats)[number];
type Api = 'v2' | 'v3';

const campaign: CampaignOptions = { id: '1', size, newestMs: Date.now() - 30 * 86_400_000 };
const truth = new Campaign(campaign);

interface Pair {
  readonly url: string;
  readonly pid: number;
  calls(): Promise<number>;
  stop(): Promise<void>;
}

/** A Sendgate with its own sandbox. */
async function pair(api: Api, settings: Record<string, string> = {}, limits = false): Promise<Pair> {
  const [sandboxPort, port, managementPort] = [nextPort++, nextPort++, nextPort++].map(String) as [
    string,
    string,
    string,
  ];
  const at = (of: string) => `http://127.0.0.1:${of}`;
  const env = {
    CONSTANT_CONTACT_API: api,
    CONSTANT_CONTACT_API_KEY: 'bench-api-key',
    CONSTANT_CONTACT_CLIENT_ID: 'bench-client-id',
    CONSTANT_CONTACT_REFRESH_TOKEN: 'bench-refresh-token',
    CONSTANT_CONTACT_TOKEN_URL: `${at(sandboxPort)}/oauth2/default/v1/token`,
    CONSTANT_CONTACT_TOKEN_FILE: join(folder, `tokens-${port}.json`),
  };
  const sandbox = await startServer('sandbox', `${at(sandboxPort)}/_sandbox`, [node, 'dist/sandbox/main.js'], {
    ...env,
    PORT: sandboxPort,
    ...(limits ? { SANDBOX_LIMITS: '1' } : {}),
  });
  await fetch(`${at(sandboxPort)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });
  const sendgate = await startServer('Sendgate', `${at(managementPort)}/livez`, [node, 'dist/main.js'], {
    ...env,
    PORT: port,
    SENDGATE_MANAGEMENT_PORT: managementPort,
    CONSTANT_CONTACT_BASE_URL: at(sandboxPort),
    SENDGATE_LOG_LEVEL: 'error',
    ...(limits ? {} : { SENDGATE_QUOTA_PER_SECOND: '1000', SENDGATE_QUOTA_PER_DAY: '1000000' }),
    ...settings,
  });
  const servers: Server[] = [sandbox, sendgate];
  return {
    url: at(port),
    pid: sendgate.pid,
    calls: async () => {
      const answer = await fetch(`${at(sandboxPort)}/_sandbox`);
      return ((await answer.json()) as { callCount: number }).callCount;
    },
    stop: async () => {
      for (const server of servers.reverse()) await server.stop();
    },
  };
}

function residentMiB(pid: number): number {
  const kibibytes = /VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Number(kibibytes) / 1024;
}

/** The most that the process holds until the end is told. */
function watch(pid: number): () => number {
  let most = residentMiB(pid);
  const timer = setInterval(() => {
    most = Math.max(most, residentMiB(pid));
  }, 50);
  return () => {
    clearInterval(timer);
    return most;
  };
}

function open(url: string): Promise<IncomingMessage> {
  return new Promise((resolve, reject) => {
    http.get(url, { agent: false }, resolve).once('error', reject);
  });
}

/** Digest of a whole export, made from the sandbox's campaign. */
function expected(api: Api, format: Format): string {
  const hash = createHash('sha256');
  if (format === 'csv') hash.update('activity_type,campaign_id,contact_id,email_address,send_date\r\n');
  for (let index = 0; index < size; index++) {
    const { contactId, email, atMs } = truth.at(index);
    const contact = api === 'v3' ? contactIdOf(contactId) : contactId;
    const date = new Date(atMs).toISOString();
    hash.update(
      format === 'csv'
        ? `EMAIL_SEND,1,${contact},${email},${date}\r\n`
        : `{"activity_type":"EMAIL_SEND","campaign_id":"1","contact_id":"${contact}","email_address":"${email}","send_date":"${date}"}\n`,
    );
  }
  return hash.digest('hex');
}

interface Read {
  readonly digest: string;
  readonly bytes: number;
  readonly seconds: number;
}

async function read(url: string): Promise<Read> {
  const started = performance.now();
  const answer = await open(url);
  const hash = createHash('sha256');
  let bytes = 0;
  for await (const part of answer as AsyncIterable<Buffer>) {
    hash.update(part);
    bytes += part.length;
  }
  return { digest: hash.digest('hex'), bytes, seconds: (performance.now() - started) / 1000 };
}

async function cold(api: Api): Promise<void> {
  // A cache that holds a sixth of the campaign, so that what grows is the export and not the cache.
  const { url, pid, stop } = await pair(api, { SENDGATE_CACHE_MAX_BYTES: String((short ? 2 : 32) * mebibyte) });
  // The cache is full and the code warm: that is idle.
  await read(`${url}/campaigns/1/sends.csv?created_since=${new Date(truth.at(size >> 2).atMs).toISOString()}`);
  for (const format of formats) {
    const idle = residentMiB(pid);
    const most = watch(pid);
    const { digest, seconds } = await read(`${url}/campaigns/1/sends.${format}`);
    const grown = most() - idle;
    promise(digest === expected(api, format), `${api} ${format}, cold: not every send once`);
    promise(grown <= 64, `${api} ${format}, cold: ${grown.toFixed(0)} MiB more than idle`);
    rows.push(
      `| ${api} | ${format} | cold, no limit | ${(size / 500 / seconds).toFixed(0)} pages/s | ${grown.toFixed(0)} MiB |`,
    );
  }
  await stop();
}

async function cached(api: Api): Promise<void> {
  const warm = await pair(api, { SENDGATE_CACHE_MAX_BYTES: String(1024 * mebibyte) });
  for (const format of formats) await read(`${warm.url}/campaigns/1/sends.${format}`);
  for (const format of formats) rows.push(await cachedFormat(api, format, warm));
  await warm.stop();
}

async function cachedFormat(api: Api, format: Format, { url, pid, calls }: Awaited<ReturnType<typeof pair>>) {
  await delay(1_000);
  const idle = residentMiB(pid);
  const most = watch(pid);
  const reads: Read[] = [];
  const before = await calls();
  for (let round = 0; round < rounds; round++) reads.push(await read(`${url}/campaigns/1/sends.${format}`));
  const grown = most() - idle;
  const name = `${api} ${format}, cached:`;
  const whole = expected(api, format);
  promise((await calls()) === before, `${name} calls were made`);
  promise(
    reads.every(({ digest }) => digest === whole),
    `${name} differs`,
  );
  const perSecond = median(reads.map(({ bytes, seconds }) => bytes / 1e6 / seconds));
  promise(grown <= 64, `${name} ${grown.toFixed(0)} MiB more than idle`);
  promiseOfSpeed(perSecond >= 50, `${name} ${perSecond.toFixed(0)} MB/s`);
  return `| ${api} | ${format} | cached | ${perSecond.toFixed(0)} MB/s | ${grown.toFixed(0)} MiB |`;
}

/** An export at the account's own limits, for a minute. */
async function paced(api: Api): Promise<void> {
  const seconds = short ? 4 : 60;
  const { url, calls, stop } = await pair(api, {}, true);
  const answer = await open(`${url}/campaigns/1/sends.csv`);
  let lines = 0;
  let from = 0;
  answer.on('data', (part: Buffer) => {
    from ||= performance.now();
    for (const byte of part) if (byte === 10) lines++;
  });
  await delay(seconds * 1000);
  const pagesPerSecond = (lines - 1) / 500 / ((performance.now() - from) / 1000);
  answer.destroy();
  await delay(500);
  const asked = await calls();
  await delay(2_000);
  const later = (await calls()) - asked;
  await stop();
  promiseOfSpeed(pagesPerSecond >= 3.9, `${api}, at the limits: ${pagesPerSecond.toFixed(2)} pages/s`);
  promise(later <= 1, `${api}: ${later} calls after the reader had gone`);
  rows.push(`| ${api} | csv | cold, 4 calls/s | ${pagesPerSecond.toFixed(2)} pages/s | |`);
  rows.push(`| ${api} | csv | after the reader has gone | ${later} calls | |`);
}

/** A reader that reads nothing at first, and then 256 KiB ten times a second. */
async function slow(api: Api): Promise<void> {
  const { url, pid, calls, stop } = await pair(api, { SENDGATE_CACHE_MAX_BYTES: String(32 * mebibyte) });
  const since = new Date(truth.at(size >> 3).atMs).toISOString();
  await read(`${url}/campaigns/1/sends.csv?created_since=${since}`);
  const [idle, before] = [residentMiB(pid), await calls()];
  const most = watch(pid);
  const answer = await open(`${url}/campaigns/1/sends.ndjson`);
  await delay(1_500);
  const ahead = ((await calls()) - before) * 500;
  let taken = 0;
  for (let step = 0; step < 20; step++) {
    for (let more = 256 * 1024; more > 0; ) {
      const part: Buffer | null = answer.read();
      if (part === null) break;
      more -= part.length;
      taken += part.length;
    }
    await delay(100);
  }
  const walked = ((await calls()) - before) * 500;
  const grown = most() - idle;
  answer.destroy();
  await stop();
  promise(grown <= 64, `${api}, slow reader: ${grown.toFixed(0)} MiB more than idle`);
  promise(short || walked <= size / 2, `${api}: ${walked} sends walked for a slow reader`);
  const [aheadText, walkedText] = [ahead, walked].map((sends) => sends.toLocaleString('en'));
  const read_ = `${aheadText} sends before the first byte is read, ${walkedText} after ${(taken / 1e6).toFixed(0)} MB`;
  rows.push(`| ${api} | ndjson | a slow reader | ${read_} | ${grown.toFixed(0)} MiB |`);
}

const both = ['v2', 'v3'] as const;
for (const api of both) {
  await cold(api);
  await cached(api);
}
// These wait more than they work: the short form waits for all at once.
const waiting = both.flatMap((api) => [() => slow(api), () => paced(api)]);
if (short) await Promise.all(waiting.map((run) => run()));
else for (const run of waiting) await run();

const table = ['| API | format | | | resident memory over idle |', '|---|---|---|---|---|', ...rows].join('\n');
process.stdout.write(`${table}\n`);
if (!short) {
  replaceSection(
    'export',
    `<!-- export -->
## Whole campaigns

\`npm run bench:export\`: ${size.toLocaleString('en')} sends, every export compared with the campaign byte by byte (by digest). Cold: with a
cache of 32 MiB that is full from the start, so that what grows is the export; cached: with all pages held, medians of ${rounds}. The
slow reader's sends are those that fit into the two sockets' buffers. Server, sandbox and reader share two cores.

${table}
`,
  );
}
process.exit();
