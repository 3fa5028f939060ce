/**
 * `npm run bench:tracing`: what the calls to OpenTelemetry's API cost a hit while no SDK is loaded: two Sendgates side by
 * side, one of them with nothing in their place. `--short` makes one round, which it does not judge, and leaves RESULTS.md alone.
 */
import { cpSync, mkdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { rate } from './load.ts';
import { median, onCore, type Server, startSandbox, startServer } from './processes.ts';
import { promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';

const [rounds, seconds] = short ? [1, 1] : [25, 2];
const root = fileURLToPath(new URL('..', import.meta.url));
/** Beside the packages, so that imports resolve. */
const without = `${root}node_modules/.cache/sendgate-without-tracing`;
const node = process.execPath;
const env = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', NODE_ENV: 'production' };
const at = (port: number) => `http://127.0.0.1:${port}`;
const path = '/campaigns/1/sends';
const headers = { 'accept-encoding': 'gzip, deflate, br' };

const nothing = `
export * from './real-tracing.js';
const span = { setAttribute() {}, setAttributes() {}, setStatus() {} };
const request = { traceId: undefined, run: (work) => work(), end() {} };
export const traceRequest = () => request;
export const inSpan = (name, attributes, work) => work(span);
export const inClientSpan = (name, attributes, work) => work(span, {});
export const failed = () => {};
export const detached = (work) => work();
`;

mkdirSync(without, { recursive: true });
cpSync(`${root}dist`, `${without}/dist`, { recursive: true });
cpSync(`${root}package.json`, `${without}/package.json`);
cpSync(`${root}dist/tracing.js`, `${without}/dist/real-tracing.js`);
writeFileSync(`${without}/dist/tracing.js`, nothing);

const sandbox = await startSandbox(9450, env);
const campaign = { id: '1', size: 2_000, newestMs: Date.now() - 30 * 86_400_000 };
await fetch(`${at(9450)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });

const start = (name: string, port: number, main: string): Promise<Server> =>
  startServer(name, `${at(port)}${path}`, onCore(0, [node, main]), {
    ...env,
    PORT: String(port),
    SENDGATE_MANAGEMENT_PORT: String(port + 1),
    CONSTANT_CONTACT_BASE_URL: at(9450),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
  });
const servers = [
  await start('with the API', 9451, 'dist/main.js'),
  await start('without', 9453, `${without}/dist/main.js`),
];

/** Microseconds of processor time that the process has had: 10 ms a tick. */
function processorUs({ pid }: Server): number {
  const [user = 0, system = 0] =
    readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ').slice(11, 13).map(Number) ?? [];
  return (user + system) * 10_000;
}

async function perHit(server: Server): Promise<number> {
  const before = processorUs(server);
  const answers = (await rate(server.url, headers, seconds)) * seconds;
  return (processorUs(server) - before) / answers;
}

for (const server of servers) await rate(server.url, headers, short ? 1 : 3);
const costs: number[][] = servers.map(() => []);
const ratios: number[] = [];
for (let round = 0; round < rounds; round++) {
  const order = round % 2 === 0 ? [0, 1] : [1, 0];
  const cost = [0, 0];
  for (const index of order) cost[index] = await perHit(servers[index] as Server);
  for (const [index, us] of cost.entries()) costs[index]?.push(us);
  ratios.push((cost[0] ?? 0) / (cost[1] ?? 1));
}
for (const server of [...servers, sandbox]) await server.stop();
rmSync(without, { recursive: true });

const [withApi = 0, bare = 0] = costs.map(median);
const overhead = 100 * (median(ratios) - 1);
const text = `${withApi.toFixed(2)} µs of processor time a hit with the API, ${bare.toFixed(2)} µs without: ${overhead.toFixed(1)} % (median of ${rounds} pairs)`;
process.stdout.write(`${text}\n`);
if (!short) {
  replaceSection(
    'tracing',
    `<!-- tracing -->
## Tracing without an SDK

\`npm run bench:tracing\`, hits of a 500-send page on one core, the two interleaved: ${text}.
`,
  );
}
promiseOfSpeed(overhead < 2, `tracing costs ${overhead.toFixed(1)} %`);
process.exit();
