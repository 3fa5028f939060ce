/**
 * `npm run bench:profile`: where the microseconds of a hit go, by V8's sampling profiler, beside those of bare node:http.
 * Prints the rows of PROFILE.md; the name of another build's folder, such as that of the version before, adds a column.
 */
import { mkdtempSync, readdirSync, readFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { rate } from './load.ts';
import { onCore, startSandbox, startServer } from './processes.ts';

interface Profile {
  readonly nodes: readonly {
    readonly id: number;
    readonly callFrame: { readonly functionName: string; readonly url: string };
    readonly children?: readonly number[];
  }[];
  readonly samples: readonly number[];
  /** Microseconds from one sample to the next. */
  readonly timeDeltas: readonly number[];
  /** Microseconds on the clock of `process.hrtime`. */
  readonly startTime: number;
}

const ports = { sandbox: 9500, sendgate: 9501, management: 9502, bare: 9503 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const credentials = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const node = process.execPath;
/** Interleaved, since the machine may be slower in one of them; the report has their means. */
const rounds = 5;
const seconds = 3;

const pageParts = /dist\/(sends|pages|negotiate|clock|reports|cache|model|http\/negotiation)|lru-cache|fresh/;
/** The parts of a hit: a function belongs to the first that fits. Old folders are those of the version before. */
const parts: readonly (readonly [name: string, fits: (name: string, url: string) => boolean])[] = [
  ['the system: writing to the socket', (name) => /^write(v|Latin1String)$/.test(name)],
  ['the system: writing the log', (name) => /^(write(Buffer|String|Utf8String)|utf8Write)$/.test(name)],
  ['garbage collection', (name) => name === '(garbage collector)'],
  ['node:http, streams, sockets, timers', (_, url) => url.startsWith('node:')],
  [
    'log: pino, sonic-boom, `observability/`',
    (_, url) => /pino|sonic-boom|operations\/log|observability\/(?!metrics|tally|status)/.test(url),
  ],
  [
    'metrics: prom-client, `metrics`, `tally`, `status`',
    (_, url) => /prom-client|(operations|observability)\/(metrics|tally|status)/.test(url),
  ],
  ['tracing', (_, url) => /opentelemetry|dist\/tracing/.test(url)],
  [
    'request context, header block, writer',
    (_, url) => /operations\/(exchange|head)|http\/(request-context|header-block|prepared|.*writer)/.test(url),
  ],
  ['guard, team, limit', (_, url) => /dist\/callers|rate-limit|ip-address/.test(url)],
  ['query, cache, response', (_, url) => pageParts.test(url)],
  ['fast path and server', (_, url) => /dist\/(lane|front|service|server|app|http|compose)|rivals\/bare/.test(url)],
  ['the rest: V8, the parser, unnamed functions', () => true],
];

const path = '/campaigns/1/sends';
/** V8 writes a profile only when the process exits by itself. */
const endsProperly = 'data:text/javascript,process.once("SIGTERM",()=>process.exit())';

function startSendgate(command: readonly string[]) {
  return startServer('Sendgate', `${at(ports.sendgate)}${path}`, onCore(0, command), {
    ...credentials,
    NODE_ENV: 'production',
    PORT: String(ports.sendgate),
    SENDGATE_MANAGEMENT_PORT: String(ports.management),
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
  });
}

/** @param dist the folder of a build; undefined: node:http that returns what this one answers */
async function measure(dist: string | undefined): Promise<ReadonlyMap<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-profile-'));
  const profiled = [node, '--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`];
  const servers = [await startSendgate(dist ? [...profiled, `${dist}/main.js`] : [node, 'dist/main.js'])];
  if (!dist) {
    const command = onCore(0, [...profiled, '--import', endsProperly, 'bench/rivals/bare.js']);
    const env = { NODE_ENV: 'production', PORT: String(ports.bare), PAGE_URL: `${at(ports.sendgate)}${path}` };
    servers.push(await startServer('bare node:http', `${at(ports.bare)}${path}`, command, env));
  }
  const headers = { 'accept-encoding': 'gzip, deflate, br' };
  const url = servers.at(-1)?.url ?? '';
  await rate(url, headers, seconds); // warm
  const begin = Number(process.hrtime.bigint() / 1000n);
  const answers = (await rate(url, headers, seconds)) * seconds;
  for (const server of servers) await server.stop();
  const [file = ''] = readdirSync(folder);
  const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  /** Whether it runs for a request, and not at start. */
  const isServing = (id: number | undefined): boolean => {
    if (id === undefined) return false;
    const { functionName = '' } = frames.get(id) ?? {};
    return (
      /parserOn|processTicks|onParserExecute|garbage|processImmediate/.test(functionName) || isServing(parents.get(id))
    );
  };
  const sums = new Map<string, number>();
  let sampledAt = profile.startTime;
  for (const [n, id] of profile.samples.entries()) {
    const { functionName = '', url = '' } = frames.get(id) ?? {};
    sampledAt += profile.timeDeltas[n] ?? 0;
    if (sampledAt < begin || !isServing(id)) continue;
    const [part = ''] = parts.find(([, fits]) => fits(functionName, url)) ?? [];
    sums.set(part, (sums.get(part) ?? 0) + (profile.timeDeltas[n] ?? 0) / answers);
  }
  return sums;
}

const sandbox = await startSandbox(ports.sandbox, credentials);
const campaign = { id: '1', size: 2_000, newestMs: Date.now() - 30 * 86_400_000 };
await fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });
const builds = [...process.argv.slice(2), 'dist', undefined];
const columns = builds.map(() => new Map<string, number>());
for (let n = 0; n < rounds; n++) {
  for (const [column, dist] of builds.entries()) {
    for (const [part, us] of await measure(dist)) {
      const sums = columns[column];
      sums?.set(part, (sums.get(part) ?? 0) + us / rounds);
    }
  }
}
await sandbox.stop();

console.log(`| | ${builds.map((dist) => dist ?? 'bare node:http').join(' | ')} |`);
console.log(`|---|${'---|'.repeat(builds.length)}`);
const cell = (us: number) => us.toFixed(1);
for (const [name] of parts)
  console.log(`| ${name} | ${columns.map((sums) => cell(sums.get(name) ?? 0)).join(' | ')} |`);
const total = (sums: ReadonlyMap<string, number>) => [...sums.values()].reduce((sum, us) => sum + us, 0);
console.log(`| all | ${columns.map((sums) => cell(total(sums))).join(' | ')} |`);
