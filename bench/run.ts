/**
 * `npm run bench`: cached hits of a 500-send page, side by side with the alternatives, and the cold path.
 * Writes bench/RESULTS.md. `--short` makes one quick round and writes nothing.
 */
import { execFileSync } from 'node:child_process';
import { cpus, release } from 'node:os';
import { generator, rate } from './load.ts';
import { has, median, onCore, type Server, startSandbox, startServer } from './processes.ts';
import { short } from './promises.ts';
import { replaceSection } from './results.ts';
import { nginxCommand } from './rivals/nginx.ts';
import { varnishCommand } from './rivals/varnish.ts';

const [rounds, passes] = short ? [1, 1] : [7, 2];
const apiKey = 'bench-api-key';
const accessToken = 'bench-access-token';
const credentials = { CONSTANT_CONTACT_API_KEY: apiKey, CONSTANT_CONTACT_ACCESS_TOKEN: accessToken };
const ports = { sandbox: 9310, sendgate: 9311, management: 9312, nginx: 9313, stack: 9314, bare: 9315, varnish: 9316 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const path = '/campaigns/500500/sends';

const control = async (order: object) =>
  (await fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify(order) })).json() as Promise<{
    callCount: number;
  }>;

async function startAll(): Promise<{ sandbox: Server; servers: Server[] }> {
  const node = process.execPath;
  const sandbox = await startSandbox(ports.sandbox, credentials);
  await control({ campaign: { id: '500500', size: 2_000, newestMs: Date.now() - 30 * 86_400_000 } });
  const sendgate = await startServer('Sendgate', `${at(ports.sendgate)}${path}`, onCore(0, [node, 'dist/main.js']), {
    ...credentials,
    NODE_ENV: 'production',
    PORT: String(ports.sendgate),
    SENDGATE_MANAGEMENT_PORT: String(ports.management),
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000000',
    SENDGATE_QUOTA_PER_SECOND: '1000',
  });
  const servers = [sendgate];
  if (has('nginx')) {
    const command = nginxCommand(ports.nginx, at(ports.sandbox), apiKey, accessToken);
    servers.push(await startServer('nginx', `${at(ports.nginx)}${path}`, onCore(0, command)));
  }
  if (has('varnishd')) {
    const command = varnishCommand(ports.varnish, ports.sandbox, apiKey, accessToken);
    servers.push(await startServer('Varnish', `${at(ports.varnish)}${path}`, onCore(0, command)));
  }
  servers.push(
    await startServer(
      'http-proxy-middleware + apicache',
      `${at(ports.stack)}${path}`,
      onCore(0, [node, 'bench/rivals/stack.js']),
      {
        NODE_ENV: 'production',
        PORT: String(ports.stack),
        UPSTREAM: at(ports.sandbox),
        API_KEY: apiKey,
        ACCESS_TOKEN: accessToken,
      },
    ),
    await startServer('bare node:http', `${at(ports.bare)}${path}`, onCore(0, [node, 'bench/rivals/bare.js']), {
      NODE_ENV: 'production',
      PORT: String(ports.bare),
      PAGE_URL: sendgate.url,
    }),
  );
  return { sandbox, servers };
}

interface Case {
  readonly title: string;
  readonly headers: (etag: string) => Record<string, string>;
}

const cases: Case[] = [
  { title: 'gzip, deflate, br', headers: () => ({ 'accept-encoding': 'gzip, deflate, br' }) },
  {
    title: 'matching If-None-Match',
    headers: (etag) => ({ 'accept-encoding': 'gzip, deflate, br', ...(etag === '' ? {} : { 'if-none-match': etag }) }),
  },
  { title: 'gzip', headers: () => ({ 'accept-encoding': 'gzip' }) },
  { title: 'no encoding', headers: () => ({ 'accept-encoding': 'identity' }) },
];

/** Each server's answer to each case, and its rate, pass by pass. */
type Seen = Map<string, { kind: string; readonly rates: number[] }>;

const taken = { 'accept-encoding': 'gzip, deflate, br' };

/** Time for a server to finish background work: it shares a core with the next one. */
const settleMs = 250;

/** All cases of all servers, a second each, so that compared rates are measured within a few seconds. */
async function pass(servers: readonly Server[], seen: Seen): Promise<void> {
  for (const { title, headers } of cases) {
    const entries = servers.map((server) => {
      const key = `${title} | ${server.name}`;
      const entry = seen.get(key) ?? { kind: '', rates: [] };
      seen.set(key, entry);
      return { server, entry };
    });
    for (const { server, entry } of shuffled(entries)) {
      await new Promise((resolve) => setTimeout(resolve, settleMs));
      const first = await fetch(server.url, { headers: taken });
      await first.arrayBuffer();
      const sent = headers(first.headers.get('etag') ?? '');
      const answer = await fetch(server.url, { headers: sent });
      await answer.arrayBuffer();
      entry.kind = `${answer.status} ${answer.headers.get('content-encoding') ?? ''}`.trim();
      entry.rates.push(await rate(server.url, sent, 1));
    }
  }
}

/** Another order for each pass, so that no server always follows the same one. */
function shuffled<T>(all: readonly T[]): T[] {
  return all
    .map((one) => ({ one, at: Math.random() }))
    .sort((a, b) => a.at - b.at)
    .map(({ one }) => one);
}

/** The median of the passes' ratios: the machine, or the process, may have been slower in another. */
function timesAsFast(some: readonly number[], others: readonly number[]): number {
  return median(some.map((rate, pass) => rate / (others[pass] ?? Number.NaN)));
}

function table(seen: Seen): string[] {
  return [...seen].map(([key, { kind, rates }]) => {
    const own = seen.get(`${key.split(' | ')[0]} | Sendgate`)?.rates ?? [];
    const range = [Math.min(...rates), Math.max(...rates)].map((n) => Math.round(n).toLocaleString('en')).join('–');
    const middle = Math.round(median(rates)).toLocaleString('en');
    return `| ${key} | ${kind} | ${middle} | ${range} | ${timesAsFast(own, rates).toFixed(2)} |`;
  });
}

/** Latency that Sendgate adds to a miss: interleaved with requests to the sandbox itself. */
async function cold(sendgate: Server): Promise<string[]> {
  const own: number[] = [];
  const straight: number[] = [];
  const time = async (url: string, into: number[]) => {
    const start = performance.now();
    const answer = await fetch(url, { headers: { authorization: `Bearer ${accessToken}` } });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status}`);
    into.push(performance.now() - start);
  };
  for (let n = 0; n < (short ? 20 : 200); n++) {
    const id = String(600_000 + n);
    await control({ campaign: { id, size: 500, newestMs: Date.now() } });
    await time(`${at(ports.sandbox)}/v2/emailmarketing/campaigns/${id}/tracking/sends?api_key=${apiKey}`, straight);
    await time(`${at(ports.sendgate)}/campaigns/${id}/sends`, own);
  }
  await control({ campaign: { id: '700700', size: 500, newestMs: Date.now() }, forget: true });
  await control({ fault: { kind: 'latency', ms: 500, campaign: '700700' } });
  const answers = await Promise.all(
    Array.from({ length: 1000 }, async () => (await fetch(sendgate.url.replace('500500', '700700'))).text()),
  );
  const { callCount } = await control({});
  return [
    `- A cold page of 500 sends: ${median(own).toFixed(1)} ms through Sendgate, ${median(straight).toFixed(1)} ms from the sandbox itself: ${(median(own) - median(straight)).toFixed(1)} ms added (medians of ${own.length}, interleaved).`,
    `- 1,000 concurrent callers of one cold key: ${callCount} upstream call, ${new Set(answers).size} distinct answer.`,
  ];
}

const seen: Seen = new Map();
let coldLines: string[] = [];
for (let n = 0; n < rounds; n++) {
  const { sandbox, servers } = await startAll();
  for (const server of servers) await rate(server.url, taken, short ? 1 : 4); // warm
  for (let m = 0; m < passes; m++) await pass(servers, seen);
  if (n === rounds - 1) coldLines = await cold(servers[0] as Server);
  for (const server of [...servers, sandbox]) await server.stop();
}
const rows = table(seen);
const times = (one: string, other: string) =>
  timesAsFast(seen.get(one)?.rates ?? [], seen.get(other)?.rates ?? []).toFixed(2);
const [page, revalidation, bare] = ['gzip, deflate, br', 'matching If-None-Match', 'bare node:http'];
const lines = [
  `- Answers of 304: ${times(`${revalidation} | Sendgate`, `${page} | Sendgate`)} times as many a second as pages; from ${bare} ${times(`${revalidation} | ${bare}`, `${page} | ${bare}`)} times.`,
  ...['nginx', 'Varnish']
    .filter((name) => seen.has(`${page} | ${name}`))
    .map(
      (name) =>
        `- The limit: ${bare} itself is ${times(`${page} | ${bare}`, `${page} | ${name}`)} times ${name}, with no encoding ${times(`no encoding | ${bare}`, `no encoding | ${name}`)}.`,
    ),
  ...coldLines,
];
console.log([...rows, ...lines].join('\n'));

const version = (command: string, args: string[]) => execFileSync(command, args, { encoding: 'utf8' });
const rivalVersion = (command: string, flag: string) =>
  has(command)
    ? `, ${version('sh', ['-c', `${command} ${flag} 2>&1`])
        .split('\n')[0]
        ?.replace(' version', '')
        .trim()}`
    : `, ${command} not installed`;
const text = `<!-- hits -->
## Hits of a cached page

A page of 500 sends, each server on one core, ${generator} with 32 connections on the other; medians of ${rounds * passes}
passes of a second each, interleaved in an order that changes, with new processes after every ${passes}, since one and the same program can be a third faster
in one process than in another. The last column is Sendgate's rate over that server's, the median of the passes' ratios. Bare node:http has
Sendgate's own answers, with all of their header fields; Varnish does not rewrite the body.

| Accept-Encoding | server | answer | answers/s | least–most | Sendgate is … × |
|---|---|---|---|---|---|
${rows.join('\n')}

${lines.join('\n')}

Measured ${new Date().toISOString().slice(0, 10)} on ${cpus().length} × ${cpus()[0]?.model.trim()}, Linux ${release()}, Node ${version(process.execPath, ['-p', 'process.versions.node']).trim()}${rivalVersion('nginx', '-v')}${rivalVersion('varnishd', '-V')}.
Reproduce with \`npm run bench\`.
`;
if (!short) {
  replaceSection('hits', text);
}
