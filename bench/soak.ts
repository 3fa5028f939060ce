/**
 * `npm run soak`: ten minutes of hits, misses and faults at 500 requests a second with the cache held at 32 MiB.
 * Fails on an unexpected answer, on anything on stderr, and when memory keeps growing.
 * `--v3` runs with v3, with access tokens that live a minute, and uses `created_since` too.
 * `--short` takes six seconds and leaves bench/RESULTS.md alone.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import http from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { median, onCore, startSandbox, startServer } from './processes.ts';
import { promise, short } from './promises.ts';
import { replaceSection } from './results.ts';

const api = process.argv.includes('--v3') ? 'v3' : 'v2';
const seconds = short ? 6 : 600;
const perSecond = 500;
const cacheMiB = 32;
const firstPort = api === 'v3' ? 9570 : 9320;
const ports = { sandbox: firstPort, sendgate: firstPort + 1, management: firstPort + 2 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const folder = mkdtempSync(join(tmpdir(), 'sendgate-soak-'));
const env = {
  CONSTANT_CONTACT_API: api,
  CONSTANT_CONTACT_API_KEY: 'soak-api-key',
  CONSTANT_CONTACT_ACCESS_TOKEN: 'soak-access-token',
  CONSTANT_CONTACT_CLIENT_ID: 'soak-client-id',
  CONSTANT_CONTACT_REFRESH_TOKEN: 'soak-refresh-token',
  CONSTANT_CONTACT_TOKEN_URL: `${at(ports.sandbox)}/oauth2/default/v1/token`,
  CONSTANT_CONTACT_TOKEN_FILE: join(folder, 'tokens.json'),
};
const node = process.execPath;

const sandbox = await startSandbox(ports.sandbox, { ...env, SANDBOX_TOKEN_SECONDS: '60' });
const order = (orders: object) =>
  fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });

const healthy = Array.from({ length: 100 }, (_, n) => String(1000 + n));
const faulty = [
  'status',
  'reset',
  'reset-mid-body',
  'html',
  'malformed',
  'wrong-schema',
  'redirect',
  'hang',
  'oversize',
];
for (const [n, id] of healthy.entries()) {
  await order({ campaign: { id, size: 5_000, newestMs: Date.now() - n * 3_600_000 } });
}
for (const [n, kind] of faulty.entries()) {
  await order({
    campaign: { id: String(2000 + n), size: 10, newestMs: Date.now() },
    fault: { kind, campaign: String(2000 + n) },
  });
}

const sendgate = await startServer('Sendgate', `${at(ports.management)}/livez`, onCore(0, [node, 'dist/main.js']), {
  ...env,
  NODE_ENV: 'production',
  PORT: String(ports.sendgate),
  SENDGATE_MANAGEMENT_PORT: String(ports.management),
  CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
  SENDGATE_CACHE_MAX_BYTES: String(cacheMiB * 1024 * 1024),
  SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
  SENDGATE_QUOTA_PER_SECOND: '1000',
  SENDGATE_QUOTA_PER_DAY: '100000000',
  SENDGATE_CONSTANT_CONTACT_TIMEOUT_MS: '2000',
  SENDGATE_CONSTANT_CONTACT_DEADLINE_MS: '10000',
});

const agent = new http.Agent({ keepAlive: true, maxSockets: 100 });
const seen = new Map<string, number>();
const wrong: string[] = [];
let inFlight = 0;

function ask(path: string, mayFail: boolean, kind: string): void {
  inFlight++;
  const request = http.get(
    `${at(ports.sendgate)}${path}`,
    { agent, headers: { 'accept-encoding': 'gzip, deflate, br' } },
    (answer) => {
      const label = `${kind} ${answer.statusCode}`;
      seen.set(label, (seen.get(label) ?? 0) + 1);
      if ((answer.statusCode ?? 0) >= 500 && !mayFail) wrong.push(`${path}: ${answer.statusCode}`);
      answer.resume().once('close', () => inFlight--);
    },
  );
  request.once('error', (error) => {
    inFlight--;
    wrong.push(`${path}: ${error.message}`);
  });
}

const pick = (of: number) => Math.floor(Math.random() * of);

/** 88 % first pages of a hundred campaigns, 10 % of fifty thousand other pages, 2 % of campaigns with a fault. */
function askSomething(): void {
  const roll = Math.random();
  const id = healthy[pick(healthy.length)];
  if (roll < 0.88) ask(`/campaigns/${id}/sends`, false, 'head');
  else if (roll < 0.98) ask(`/campaigns/${id}/sends?limit=${1 + pick(500)}${someInstant()}`, false, 'other');
  else ask(`/campaigns/${2000 + pick(faulty.length)}/sends`, true, 'faulty');
}

/** With v3 every other page begins with one of thirty instants, of which it is a view. */
const someInstant = () =>
  api === 'v3' && Math.random() < 0.5
    ? `&created_since=${new Date(Date.now() - 86_400_000 * (1 + pick(30))).toISOString().slice(0, 10)}`
    : '';

const residentMiB = () =>
  Number(/VmRSS:\s+(\d+)/.exec(readFileSync(`/proc/${sendgate.pid}/status`, 'utf8'))?.[1]) / 1024;
const metric = async (name: string) =>
  Number(new RegExp(`^${name} (\\S+)`, 'm').exec(await (await fetch(`${at(ports.management)}/metrics`)).text())?.[1]);

const memory: number[] = [];
let mostHeld = 0;
const start = performance.now();
let asked = 0;
while (performance.now() - start < seconds * 1000) {
  const due = Math.floor(((performance.now() - start) / 1000) * perSecond);
  // Bounded, so that a stalled server is not flooded.
  for (; asked < due && inFlight < 1000; asked++) askSomething();
  if (memory.length < (performance.now() - start) / 2000) {
    memory.push(residentMiB());
    mostHeld = Math.max(mostHeld, await metric('sendgate_cache_bytes'));
  }
  await new Promise((resolve) => setTimeout(resolve, 10));
}
for (let tries = 0; inFlight > 0 && tries < 500; tries++) await new Promise((resolve) => setTimeout(resolve, 10));
const eventLoopP99 = await metric('nodejs_eventloop_lag_p99_seconds');
agent.destroy();
const alive = await fetch(`${at(ports.management)}/livez`).then(
  ({ ok }) => ok,
  () => false,
);
await sendgate.stop();
await sandbox.stop();
rmSync(folder, { recursive: true });

const third = Math.floor(memory.length / 3);
const [middle, last] = [median(memory.slice(third, 2 * third)), median(memory.slice(2 * third))];
const counts = [...seen].sort().map(([label, count]) => `${label}: ${count.toLocaleString('en')}`);
const text = `<!-- soak-${api} -->
## Soak, ${api}

${seconds} s at ${Math.round(asked / seconds)} requests/s (${asked.toLocaleString('en')} in all), cache bound ${cacheMiB} MiB, at most ${(mostHeld / 1024 / 1024).toFixed(1)} MiB held.

- Answers by kind of request: ${counts.join(', ')}.
- Unexpected answers: ${wrong.length}.
- Resident memory: ${memory[0]?.toFixed(0)} MiB at the start; medians of the second and the last third ${middle.toFixed(0)} and ${last.toFixed(0)} MiB; at most ${Math.max(...memory).toFixed(0)} MiB.
- Event-loop delay, p99: ${(eventLoopP99 * 1000).toFixed(1)} ms. Alive at the end: ${alive}.

Reproduce with \`npm run soak${api === 'v3' ? ' -- --v3' : ''}\`.
`;
console.log(text);
if (wrong.length > 0) console.error(wrong.slice(0, 20).join('\n'));
if (!short) replaceSection(`soak-${api}`, text);
const grows = !short && last > middle * 1.1;
promise(!grows, 'memory keeps growing');
promise(wrong.length === 0, `${wrong.length} unexpected answers`);
promise(alive, 'it does not answer at the end');
promise(mostHeld <= cacheMiB * 1024 * 1024, `${mostHeld} bytes held`);
