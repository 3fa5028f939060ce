/**
 * `npm run bench:refused`: what a request over the limit costs beyond what bare node:http needs to read the same bytes and
 * to answer the same 429, in processor time of the server, with the costliest headers and with plain ones. Fails when any
 * costs more than twice a plain one. `--short` makes three rounds, allows six times, and leaves RESULTS.md alone.
 */
import { connect } from 'node:net';
import { median, onCore, processorUs, type Server, startSandbox, startServer } from './processes.ts';
import { promise, short } from './promises.ts';
import { replaceSection } from './results.ts';

const [rounds, requests] = short ? [3, 1_000] : [11, 6_000];
/** The costliest refused request may cost this many times a plain one. Three rounds are only an estimate. */
/** One round is only an estimate. */
const maxRatio = short ? 6 : 2;
const connections = 8;
const ports = { sandbox: 9520, sendgate: 9521, management: 9522, bare: 9523 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const credentials = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const node = process.execPath;

const path = '/campaigns/1/sends';
const dropIn = '/v2/emailmarketing/campaigns/1/tracking/sends';
/** Nearly as long as all headers of a request may be. */
const long = (piece: string) => piece.repeat(Math.floor(15_000 / piece.length));
const many = Object.fromEntries(Array.from({ length: 150 }, (_, n) => [`x-header-${n}`, 'x'.repeat(80)]));

const cases: readonly (readonly [name: string, target: string, headers: Readonly<Record<string, string>>])[] = [
  ['plain', path, {}],
  ['`Accept` of 15 KB', path, { accept: long('text/a;q=0.1,') }],
  ['`Accept-Encoding` of 15 KB', path, { 'accept-encoding': long('br;q=0.1,') }],
  ['`X-Forwarded-For` of 15 KB', path, { 'x-forwarded-for': long('127.0.0.1,') }],
  ['`X-Forwarded-For` of 15 KB, IPv6', path, { 'x-forwarded-for': long('[::1]:4711, ') }],
  ['`X-Forwarded-For`, an IPv6 client', path, { 'x-forwarded-for': '[2001:db8:1::1]:4711' }],
  ['`If-None-Match` of 15 KB', path, { 'if-none-match': long('"a",') }],
  ['150 headers', path, many],
  ['a wrong token of 4 KB', path, { authorization: `Bearer ${'x'.repeat(4_000)}` }],
  ['a query of 15 KB', `${path}?${long('a&')}`, {}],
  ['drop-in, plain', dropIn, {}],
  ['drop-in, a query of 15 KB', `${dropIn}?${long('api_key&')}`, {}],
  ['export, plain', `${path}.csv`, {}],
  ['export, `Accept` of 15 KB', `${path}.csv`, { accept: long('text/a;q=0.1,') }],
  ['no such path, 15 KB', `/${long('a/')}`, {}],
];

const sandbox = await startSandbox(ports.sandbox, credentials);
const sendgate = await startServer('Sendgate', `${at(ports.sendgate)}${path}`, onCore(0, [node, 'dist/main.js']), {
  ...credentials,
  NODE_ENV: 'production',
  PORT: String(ports.sendgate),
  SENDGATE_MANAGEMENT_PORT: String(ports.management),
  CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
  SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1',
  SENDGATE_SERVER_TRUST_PROXY: 'loopback',
  SENDGATE_SERVER_DROP_IN_V2: 'true',
  SENDGATE_TEAMS: JSON.stringify([{ name: 'jobs', tokensSha256: ['0'.repeat(64)] }]),
});
const bare = await startServer('bare', `${at(ports.bare)}${path}`, onCore(0, [node, 'bench/rivals/bare.js']), {
  NODE_ENV: 'production',
  PORT: String(ports.bare),
  PAGE_URL: `${at(ports.sendgate)}${path}`,
});

/**
 * One request after the other on a connection, each with a unique header, so that headers remembered from the last one never
 * match. Resolves with the number of refused requests.
 */
function askAgainAndAgain(url: string, form: string, count: number): Promise<number> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    const socket = connect(Number(port), hostname);
    let text = '';
    let answered = 0;
    let refused = 0;
    const next = () => Buffer.from(form.replace('#', String(1_000_000 + answered)), 'latin1');
    socket.on('data', (part) => {
      text += part.toString('latin1');
      const head = text.indexOf('\r\n\r\n');
      const length = Number(/\r\ncontent-length: (\d+)\r\n/i.exec(text)?.[1]);
      if (head === -1 || text.length < head + 4 + length) return;
      if (text.startsWith('HTTP/1.1 429 ')) refused++;
      text = '';
      if (++answered < count) return void socket.write(next());
      socket.end();
      resolve(refused);
    });
    socket.on('error', reject);
    socket.write(next());
  });
}

/** Microseconds of the server's processor time for one request of a case. */
async function cost(server: Server, [, target, headers]: (typeof cases)[number], count: number): Promise<number> {
  const fields = Object.entries({ host: 'localhost', ...headers }).map(([name, value]) => `${name}: ${value}\r\n`);
  const form = `GET ${target} HTTP/1.1\r\nx-number: #\r\n${fields.join('')}\r\n`;
  const before = processorUs(server);
  const each = Math.ceil(count / connections);
  const refused = await Promise.all(
    Array.from({ length: connections }, () => askAgainAndAgain(server.url, form, each)),
  );
  const sum = refused.reduce((all, one) => all + one, 0);
  // A new minute may have begun, in which one request is let through.
  if (sum < each * connections - 2) throw new Error(`${server.name}: ${each * connections - sum} were not refused`);
  return (processorUs(server) - before) / (each * connections);
}

const costs = cases.map(() => ({ sendgate: [] as number[], bare: [] as number[] }));
for (const one of cases) for (const server of [sendgate, bare]) await cost(server, one, requests / 3); // warm
for (let round = 0; round < rounds; round++) {
  for (const [index, one] of cases.entries()) {
    const pair = costs[index];
    for (const server of round % 2 === 0 ? [sendgate, bare] : [bare, sendgate]) {
      pair?.[server === bare ? 'bare' : 'sendgate'].push(await cost(server, one, requests));
    }
  }
}
for (const server of [bare, sendgate, sandbox]) await server.stop();

const beyond = costs.map(({ sendgate, bare }) => median(sendgate.map((us, round) => us - (bare[round] ?? Number.NaN))));
const ratios = beyond.map((us) => us / (beyond[0] ?? Number.NaN));
const rows = cases.map(([name], index) => {
  const { sendgate = [], bare = [] } = costs[index] ?? {};
  const cells = [median(sendgate), median(bare), beyond[index] ?? 0].map((us) => us.toFixed(1));
  return `| ${name} | ${cells.join(' | ')} | ${ratios[index]?.toFixed(2)} |`;
});
const text = `Microseconds of the server's processor time for a request over the limit, medians of ${rounds} interleaved rounds of ${requests.toLocaleString('en')}. Bare
node:http reads the same bytes and has the same answer ready.

| request | Sendgate | bare node:http | difference | relative to plain |
|---|---|---|---|---|
${rows.join('\n')}`;
console.log(text);
if (!short) {
  replaceSection(
    'refused',
    `<!-- refused -->\n## Requests over the limit\n\n${text}\n\nReproduce with \`npm run bench:refused\`.\n`,
  );
}
const dearest = Math.max(...ratios);
promise(dearest <= maxRatio, `the costliest costs ${dearest.toFixed(2)} times the plain one; allowed: ${maxRatio}`);
process.exit();
