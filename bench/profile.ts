/**
 * `npm run bench:profile`: where the microseconds of a hit go, by V8's sampling profiler. Prints the rows of PROFILE.md; the
 * name of another build's folder, such as that of the version before, adds a column.
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
  readonly timeDeltas: readonly number[];
}

const ports = { sandbox: 9500, sendgate: 9501, management: 9502 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const credentials = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const node = process.execPath;
const seconds = 5;

/** The parts of a hit, in the order in which the first that fits takes a function. */
const parts: readonly (readonly [name: string, fits: (name: string, url: string) => boolean])[] = [
  ['the system: writing to the socket', (name) => /^write(v|Buffer|Latin1String)$/.test(name)],
  ['the system: writing the log', (name) => /^write(String|Utf8String)$/.test(name)],
  ['garbage collection', (name) => name === '(garbage collector)'],
  ['node:http, streams, sockets, timers', (_, url) => url.startsWith('node:')],
  ['log: pino, sonic-boom, `operations/log`', (_, url) => /pino|sonic-boom|operations\/log/.test(url)],
  [
    'metrics: prom-client, `metrics`, `tally`, `status`',
    (_, url) => /prom-client|operations\/(metrics|tally|status)/.test(url),
  ],
  ['tracing', (_, url) => /opentelemetry|dist\/tracing/.test(url)],
  ['the exchange and the head', (_, url) => /operations\/(exchange|head)/.test(url)],
  ['guard, team, limit', (_, url) => /dist\/callers|rate-limit|ip-address/.test(url)],
  ['query, page, answer', (_, url) => /dist\/(sends|pages|negotiate|clock)|lru-cache|fresh/.test(url)],
  ['the lane and the listener', (_, url) => /dist\/(lane|service|server)/.test(url)],
  ['the rest: V8, the parser, what has no name', () => true],
];

async function measure(dist: string): Promise<ReadonlyMap<string, number>> {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-profile-'));
  const command = [node, '--cpu-prof', '--cpu-prof-interval=200', `--cpu-prof-dir=${folder}`, `${dist}/main.js`];
  const url = `${at(ports.sendgate)}/campaigns/1/sends`;
  const server = await startServer('Sendgate', url, onCore(0, command), {
    ...credentials,
    NODE_ENV: 'production',
    PORT: String(ports.sendgate),
    SENDGATE_MANAGEMENT_PORT: String(ports.management),
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
  });
  const headers = { 'accept-encoding': 'gzip, deflate, br' };
  const answers = (await rate(url, headers, seconds)) * seconds;
  await server.stop();
  const [file = ''] = readdirSync(folder);
  const profile = JSON.parse(readFileSync(join(folder, file), 'utf8')) as Profile;
  const frames = new Map(profile.nodes.map(({ id, callFrame }) => [id, callFrame]));
  const parents = new Map(profile.nodes.flatMap(({ id, children = [] }) => children.map((child) => [child, id])));
  /** Whether it is done for a request, and not at the start. */
  const isServing = (id: number | undefined): boolean => {
    if (id === undefined) return false;
    const { functionName = '' } = frames.get(id) ?? {};
    return (
      /parserOn|processTicks|onParserExecute|garbage|processImmediate/.test(functionName) || isServing(parents.get(id))
    );
  };
  const sums = new Map<string, number>();
  for (const [n, id] of profile.samples.entries()) {
    const { functionName = '', url = '' } = frames.get(id) ?? {};
    if (!isServing(id)) continue;
    const [part = ''] = parts.find(([, fits]) => fits(functionName, url)) ?? [];
    sums.set(part, (sums.get(part) ?? 0) + (profile.timeDeltas[n] ?? 0) / answers);
  }
  return sums;
}

const sandbox = await startSandbox(ports.sandbox, credentials);
const campaign = { id: '1', size: 2_000, newestMs: Date.now() - 30 * 86_400_000 };
await fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });
const columns: ReadonlyMap<string, number>[] = [];
for (const dist of [...process.argv.slice(2), 'dist']) columns.push(await measure(dist));
await sandbox.stop();

const cell = (us: number) => us.toFixed(1);
for (const [name] of parts)
  console.log(`| ${name} | ${columns.map((sums) => cell(sums.get(name) ?? 0)).join(' | ')} |`);
const total = (sums: ReadonlyMap<string, number>) => [...sums.values()].reduce((sum, us) => sum + us, 0);
console.log(`| all | ${columns.map((sums) => cell(total(sums))).join(' | ')} |`);
