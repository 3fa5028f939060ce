/**
 * `npm run bench:storage`: a restart under load with ten thousand pages on disk, how long a page takes from there, and hits beside
 * those of a Sendgate without storage. Fails when a promise is broken. `--short` holds two hundred pages, does not judge speed, and leaves RESULTS.md alone.
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as delay } from 'node:timers/promises';
import { rate } from './load.ts';
import { median, onCore, type Server, startSandbox, startServer } from './processes.ts';
import { promise, promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';
import { agent, ask, tally, told } from './traffic.ts';

const pages = short ? 200 : 10_000;
const [rounds, seconds] = short ? [1, 1] : [5, 3];
const ports = { sandbox: 9340, with: 9341, without: 9343 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const credentials = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const folder = mkdtempSync(join(tmpdir(), 'sendgate-storage-'));

const start = (port: number, directory: string) =>
  startServer('sendgate', `${at(port + 1)}/readyz`, onCore(0, [process.execPath, 'dist/main.js']), {
    ...credentials,
    NODE_ENV: 'production',
    PORT: String(port),
    SENDGATE_MANAGEMENT_PORT: String(port + 1),
    SENDGATE_STORAGE_DIRECTORY: directory,
    SENDGATE_LOG_LEVEL: 'error',
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_QUOTA_PER_SECOND: '1000',
    SENDGATE_QUOTA_PER_DAY: '1000000',
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000000',
  });

const sandbox = await startSandbox(ports.sandbox, credentials);
const order = async (orders: unknown = undefined) => {
  const init = orders === undefined ? {} : { method: 'POST', body: JSON.stringify(orders) };
  return (await (await fetch(sandbox.url, init)).json()) as { readonly callCount: number };
};
const pathOf = (n: number) => `${at(ports.with)}/campaigns/${1 + n}/sends`;

async function storedPages(): Promise<number> {
  const text = await (await fetch(`${at(ports.with + 1)}/metrics`)).text();
  return Number(/^sendgate_storage_pages (\d+)/m.exec(text)?.[1]);
}

/** Asks for pages until told to stop; a restart refuses connections for a moment. */
function load() {
  const statuses = new Map<string, number>();
  let isOver = false;
  const running = (async () => {
    for (let n = 0; !isOver; n++) {
      const status = await ask(pathOf((n * 37) % pages)).then(
        (answer) => String(answer.status),
        () => 'refused',
      );
      tally(statuses, status);
      await delay(5);
    }
  })();
  return {
    stop: async () => {
      isOver = true;
      await running;
      return statuses;
    },
  };
}

async function restart(): Promise<string> {
  const newestMs = Date.now() - 30 * 86_400_000;
  for (let n = 0; n < pages; n++) await order({ campaign: { id: String(1 + n), size: 500, newestMs } });
  let server: Server = await start(ports.with, folder);
  for (let n = 0; n < pages; n += 8) {
    await Promise.all(Array.from({ length: 8 }, (_, more) => ask(pathOf(Math.min(n + more, pages - 1)))));
    // Constant Contact's quota is a fiftieth of this rate: the disk may catch up.
    if (n % 200 === 0) while ((await storedPages()) < n) await delay(20);
  }
  while ((await storedPages()) < pages) await delay(20);
  await order({ forget: true });
  const traffic = load();
  await delay(1_000);
  await server.stop();
  const startedAt = performance.now();
  server = await start(ports.with, folder);
  const readyMs = performance.now() - startedAt;
  await delay(1_000);
  const statuses = await traffic.stop();
  const times: number[] = [];
  for (let n = 0; n < pages; n++) {
    const { status, ms } = await ask(pathOf((n * 7919) % pages));
    tally(statuses, String(status));
    times.push(ms);
  }
  const { callCount } = await order();
  await server.stop();
  promise(callCount === 0, `restart: ${callCount} calls for pages that were fresh`);
  promise(
    [...statuses.keys()].every((status) => status === '200' || status === 'refused'),
    `restart: ${told(statuses)}`,
  );
  promiseOfSpeed(readyMs < 1_000, `restart: ready after ${readyMs.toFixed(0)} ms`);
  promiseOfSpeed(median(times) < 2, `restart: a page took ${median(times).toFixed(2)} ms`);
  return `- **Restart.** ${pages.toLocaleString('en')} pages of 500 sends held, restarted by SIGTERM under load: ready ${(readyMs / 1000).toFixed(2)} s after the start; answers ${told(statuses)}; ${callCount} calls to Constant Contact. A page out of storage, over HTTP, one at a time: median ${median(times).toFixed(2)} ms.`;
}

/** Hits with and without storage, interleaved. */
async function hits(): Promise<string> {
  const servers = [await start(ports.with, folder), await start(ports.without, '')] as const;
  const kinds = {
    br: { 'Accept-Encoding': 'gzip, deflate, br' },
    gzip: { 'Accept-Encoding': 'gzip' },
    identity: { 'Accept-Encoding': 'identity' },
  };
  const rows: string[] = [];
  const urls = [ports.with, ports.without].map((port) => `${at(port)}/campaigns/1/sends`) as [string, string];
  for (const [name, headers] of Object.entries(kinds)) {
    const ratios: number[] = [];
    for (const url of urls) await rate(url, headers, 1);
    for (let round = 0; round < rounds; round++) {
      const one = await rate(urls[0], headers, seconds);
      ratios.push(one / (await rate(urls[1], headers, seconds)));
    }
    promiseOfSpeed(median(ratios) >= 0.95, `hits: ${name} ${median(ratios).toFixed(3)}`);
    rows.push(`${name} ${median(ratios).toFixed(3)}`);
  }
  for (const server of servers) await server.stop();
  return `- **Hits** with storage, as a part of those without: ${rows.join(', ')} (medians of ${rounds} interleaved rounds of ${seconds} s).`;
}

const lines = [await restart(), await hits()];
for (const line of lines) console.log(line);
agent.destroy();
await sandbox.stop();
rmSync(folder, { recursive: true });
if (!short) {
  replaceSection(
    'storage',
    `<!-- storage -->\n## Storage on disk\n\n${lines.join('\n')}\n\nReproduce with \`npm run bench:storage\`.\n`,
  );
}
