/**
 * `npm run bench:hold`: what a held page costs, and whether hits stay fast while many pages are held, while pages
 * are evicted, and while new ones arrive. `--only=memory`, `latency` or `evictions` does one of them; `--short` holds fewer for less time and leaves RESULTS.md alone.
 */
import { mkdtempSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rate } from './load.ts';
import {
  lowerQuartile,
  median,
  onCore,
  pin,
  type Server,
  startSandbox,
  startServer,
  stolenSeconds,
} from './processes.ts';
import { short } from './promises.ts';
import { replaceSection } from './results.ts';
import { type Steady, steady } from './steady.ts';

/** Another build to hold the same in, such as that of the version before. */
const dist = process.env['SENDGATE_DIST'] ?? 'dist';
const only = process.argv.find((flag) => flag.startsWith('--only='))?.slice('--only='.length);
const scale = short
  ? { pages: 400, keys: 1_000, seconds: 1, rounds: 1, windows: 1 }
  : { pages: 20_000, keys: 100_000, seconds: 5, rounds: 5, windows: 25 };
const node = process.execPath;
const ports = { sandbox: 9490, sendgate: 9491, bare: 9493, other: 9494 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const credentials = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const mebibyte = 1024 * 1024;
const headers = { 'accept-encoding': 'gzip, deflate, br' };

pin(process.pid, 1); // The generator is of this process.
const sandbox = await startSandbox(ports.sandbox, credentials);
const order = (orders: object) =>
  fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });

const delayFile = join(mkdtempSync(join(tmpdir(), 'sendgate-hold-')), 'delay.json');

/** The management port is the next one. */
function startSendgate(maxBytes: number, port = ports.sendgate): Promise<Server> {
  const command = [node, '--heap-growing-percent=50', '--import', './bench/loop-delay.js', `${dist}/main.js`];
  return startServer('Sendgate', `${at(port + 1)}/livez`, onCore(0, command), {
    ...credentials,
    NODE_ENV: 'production',
    LOOP_DELAY_FILE: delayFile,
    PORT: String(port),
    SENDGATE_MANAGEMENT_PORT: String(port + 1),
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_CACHE_MAX_BYTES: String(maxBytes),
    SENDGATE_CACHE_READ_AHEAD_PAGES: '0',
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: dist === 'dist' ? '1000000000' : '1000000',
    SENDGATE_QUOTA_PER_SECOND: '1000',
    SENDGATE_QUOTA_PER_DAY: '100000000',
  });
}

const residentMiB = ({ pid }: Server) =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1]) / 1024;

const held = async (port = ports.sendgate) =>
  ((await (await fetch(`${at(port + 1)}/status`)).json()) as { cache: { pages: number } }).cache.pages;

async function get(target: string, port = ports.sendgate): Promise<string> {
  for (let tries = 0; ; tries++) {
    const answer = await fetch(`${at(port)}${target}`, { headers });
    await answer.arrayBuffer();
    if (answer.status === 200) return /<([^>]+)>/.exec(answer.headers.get('link') ?? '')?.[1] ?? '';
    if (tries > 20) throw new Error(`${target}: ${answer.status}`);
    await delay(250);
  }
}

/** Runs eight at a time. */
async function inParallel<T>(items: readonly T[], one: (item: T) => Promise<void>): Promise<void> {
  const rest = [...items];
  const work = async () => {
    for (let item = rest.pop(); item !== undefined; item = rest.pop()) await one(item);
  };
  await Promise.all(Array.from({ length: 8 }, work));
}

/** Once the garbage of the filling is gone. */
async function settled(server: Server): Promise<number> {
  let least = Number.POSITIVE_INFINITY;
  for (let n = 0; n < (short ? 2 : 30); n++) {
    await delay(500);
    least = Math.min(least, residentMiB(server));
  }
  return least;
}

const oldMs = Date.now() - 300 * 86_400_000;

/**
 * Whole campaigns of pages of 500 sends. A process that has never worked is smaller than one that has, whatever it holds:
 * what a send costs is told by how much more is resident once four times as many are held.
 */
async function memory(): Promise<string> {
  const perCampaign = 100;
  const server = await startSendgate(256 * mebibyte);
  const hold = async (from: number, to: number) => {
    const ids = Array.from({ length: to - from }, (_, n) => String(900_000 + from + n));
    await inParallel(ids, async (id) => {
      await order({ campaign: { id, size: perCampaign * 500, newestMs: oldMs } });
      for (let target = `/campaigns/${id}/sends`; target !== ''; ) target = await get(target);
    });
    return { pages: await held(), resident: await settled(server) };
  };
  const campaigns = scale.pages / perCampaign;
  const quarter = await hold(0, campaigns / 4);
  const all = await hold(campaigns / 4, campaigns);
  await server.stop();
  const perSend = ((all.resident - quarter.resident) * mebibyte) / ((all.pages - quarter.pages) * 500);
  const told = ({ pages, resident }: typeof all) =>
    `${resident.toFixed(0)} MiB resident with ${(pages * 500).toLocaleString('en')} sends held`;
  return `With cache.maxBytes at 256 MiB: ${told(quarter)}, ${told(all)}; that is **${perSend.toFixed(1)} bytes a send** for those between.`;
}

/** Every key is a separate page: campaigns of a few sends, requested with every limit. */
const keyOf = (n: number) => `/campaigns/${800_000 + Math.floor(n / 500)}/sends?limit=${1 + (n % 500)}`;

async function fill(keys: number, port = ports.sendgate): Promise<void> {
  for (let n = 0; n * 500 < scale.keys; n++) {
    await order({ campaign: { id: String(800_000 + n), size: 5, newestMs: oldMs } });
  }
  // As many a second as the quota allows, and once more for what was refused.
  await steady(port, 900, Math.ceil(keys / 900), (n) => keyOf(Math.min(n, keys - 1)));
  await inParallel(
    Array.from({ length: Math.min(1_000, keys) }, (_, n) => keyOf(n)),
    async (target) => void (await get(target, port)),
  );
}

/** Draws keys as dashboards do: a few of them again and again (Zipf's law with exponent 1.2). */
function zipf(keys: number): () => number {
  const sums = new Float64Array(keys);
  let sum = 0;
  for (let n = 0; n < keys; n++) {
    sum += 1 / (n + 1) ** 1.2;
    sums[n] = sum;
  }
  return () => {
    const drawn = Math.random() * sum;
    let [low, high] = [0, keys - 1];
    while (low < high) {
      const middle = (low + high) >> 1;
      if ((sums[middle] ?? 0) < drawn) low = middle + 1;
      else high = middle;
    }
    return low;
  };
}

/**
 * One Sendgate that holds few pages, one that holds many, and bare node:http, in windows of a second in turn: the machine is
 * faster in one minute than in the next, so half of capacity is measured anew for every round. The quietest quarter of the
 * windows shows Sendgate without the machine's noise.
 */
async function latency(): Promise<string[]> {
  const few = scale.keys / 1000;
  const url = `${at(ports.sendgate)}${keyOf(0)}`;
  const server = await startSendgate(128 * mebibyte);
  await fill(few);
  const other = await startSendgate(128 * mebibyte, ports.other);
  await fill(scale.keys, ports.other);
  const bare = await startServer('bare', `${at(ports.bare)}/`, onCore(0, [node, 'bench/rivals/bare.js']), {
    PORT: String(ports.bare),
    PAGE_URL: url,
  });
  const oneOfFew = () => keyOf(Math.floor(Math.random() * few));
  const draw = zipf(scale.keys);
  const subject = (name: string, of: Server, port: number, pathOf: () => string) => {
    return { name, of, port, pathOf, runs: [] as Steady[], stolen: [] as number[] };
  };
  const [some, all] = [few.toLocaleString('en'), scale.keys.toLocaleString('en')];
  const subjects = [
    subject(`${some} pages held`, server, ports.sendgate, oneOfFew),
    subject(`${all} pages held, the same ${some} asked for`, other, ports.other, oneOfFew),
    subject(`${all} pages held, asked for by Zipf's law`, other, ports.other, () => keyOf(draw())),
    subject('bare node:http', bare, ports.bare, () => '/'),
  ];
  const capacities: number[] = [];
  /** The others share the core, and still collect garbage: they are stopped meanwhile. */
  const alone = async (one: Server) => {
    for (const { pid } of [server, other, bare]) process.kill(pid, pid === one.pid ? 'SIGCONT' : 'SIGSTOP');
    await delay(100);
  };
  const half = async () => {
    const capacity = await rate(url, headers, 1);
    capacities.push(capacity);
    await delay(200); // The generator and its connections are gone.
    return Math.floor(capacity / 2);
  };
  for (const { of, port, pathOf } of subjects) {
    await alone(of);
    await steady(port, 5_000, short ? 1 : 3, pathOf); // warm
  }
  for (let window = 0; window < scale.windows; window++) {
    await alone(server);
    const perSecond = await half();
    for (const { of, port, pathOf, runs, stolen } of subjects) {
      await alone(of);
      const before = stolenSeconds();
      const run = await steady(port, perSecond, 1, pathOf);
      stolen.push(stolenSeconds() - before);
      if (run.statuses.size !== 1 || !run.statuses.has(200)) throw new Error(`answers: ${[...run.statuses]}`);
      runs.push(run);
    }
  }
  await alone(other);
  if ((await held(ports.other)) < scale.keys) throw new Error('not all pages are held');
  const rows = subjects.map(({ name, runs, stolen }) => {
    const p99s = runs.map(({ p99 }) => p99);
    const figures = [median(runs.map(({ p50 }) => p50)), lowerQuartile(p99s), median(p99s)];
    return `  | ${name} | ${figures.map((ms) => ms.toFixed(2)).join(' | ')} | ${Math.round(median(stolen) * 1000)} |`;
  });
  const lines = [
    `Hits at half of capacity (${Math.round(median(capacities) / 2).toLocaleString('en')}/s), in ${scale.windows} windows of a second each, interleaved:

  | ms | p50 | p99, quietest quarter | p99, median | stolen by the hypervisor a second |
  |---|---|---|---|---|
${rows.join('\n')}
`,
  ];
  await other.stop();
  process.kill(bare.pid, 'SIGCONT');
  await bare.stop();
  process.kill(server.pid, 'SIGCONT');
  await delay(100);

  const perSecond = await half();
  // Pages of 500 sends arrive, as fast as the account lets them.
  await order({ campaign: { id: '700000', size: 500_000, newestMs: oldMs } });
  process.kill(server.pid, 'SIGUSR2');
  let arrived = 0;
  let stop = false;
  const arriving = (async () => {
    for (let target = '/campaigns/700000/sends'; target !== '' && !stop; arrived++) {
      [target] = await Promise.all([get(target), delay(250)]);
    }
  })();
  const run = await steady(ports.sendgate, perSecond, scale.seconds * 2, oneOfFew);
  stop = true;
  await arriving;
  process.kill(server.pid, 'SIGUSR2');
  await delay(300);
  const loop = JSON.parse(readFileSync(delayFile, 'utf8')) as { p99: number; most: number };
  lines.push(
    `The same while 4 pages of 500 sends arrive every second (${arrived} in all): p50 ${run.p50.toFixed(2)} ms, p99 ${run.p99.toFixed(2)} ms; the event loop stalled for ${loop.p99.toFixed(1)} ms at p99, ${loop.most.toFixed(1)} ms at most.`,
  );
  await server.stop();
  return lines;
}

async function evictions(): Promise<string> {
  // Room for half of the keys, so that pages are evicted all the time.
  const server = await startSendgate(Math.max(mebibyte, scale.keys * 560));
  await fill(scale.keys / 2);
  const draw = zipf(scale.keys);
  const drawn = Array.from({ length: scale.keys }, () => keyOf(draw()));
  const mixes = [[keyOf(0)], drawn];
  const ratios: number[] = [];
  const rates: number[] = [];
  for (let round = 0; round < scale.rounds + 1; round++) {
    const [single = 0, mixed = 0] = [
      await rate(at(ports.sendgate), headers, scale.seconds, mixes[0]),
      await rate(at(ports.sendgate), headers, scale.seconds, mixes[1]),
    ];
    if (round === 0) continue; // By now it is warm.
    ratios.push(mixed / single);
    rates.push(mixed);
  }
  const pages = await held();
  await server.stop();
  return `A Zipf mix over ${scale.keys.toLocaleString('en')} keys, of which ${pages.toLocaleString('en')} can be held: ${Math.round(median(rates)).toLocaleString('en')} answers/s, ${median(ratios).toFixed(2)} times the rate of a single key (medians of ${scale.rounds}, interleaved).`;
}

const parts: Readonly<Record<string, () => Promise<readonly string[]>>> = {
  memory: async () => [await memory()],
  latency,
  evictions: async () => [await evictions()],
};
const heading = '## Many pages\n\n';
for (const [name, part] of Object.entries(parts)) {
  if (only !== undefined && only !== name) continue;
  const text = (await part()).map((line) => `- ${line}`).join('\n');
  console.log(text);
  if (short || dist !== 'dist') continue;
  const foot = name === 'evictions' ? '\n\nReproduce with `npm run bench:hold`.' : '';
  replaceSection(`hold-${name}`, `<!-- hold-${name} -->\n${name === 'memory' ? heading : ''}${text}${foot}\n`);
}
await sandbox.stop();
