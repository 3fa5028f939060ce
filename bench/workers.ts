/**
 * `npm run bench:workers`: hits of two workers beside those of one process, on two cores. The generator has to live there
 * too, so it is as light as can be: wrk, sixteen requests in one piece. `--short` makes one round and writes nothing.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { has, median, startServer } from './processes.ts';
import { replaceSection } from './results.ts';

const short = process.argv.includes('--short');
const [rounds, seconds] = short ? [1, 1] : [5, 3];
const ports = { sandbox: 9510, one: 9511, two: 9513 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const credentials = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const path = '/campaigns/1/sends';
const node = process.execPath;
const run = promisify(execFile);

const sandbox = await startServer('sandbox', `${at(ports.sandbox)}/_sandbox`, [node, 'dist/sandbox/main.js'], {
  ...credentials,
  PORT: String(ports.sandbox),
});
const campaign = { id: '1', size: 2_000, newestMs: Date.now() - 30 * 86_400_000 };
await fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });
const start = (port: number, workers: number) =>
  startServer(`${workers}`, `${at(port)}${path}`, [node, 'dist/main.js'], {
    ...credentials,
    NODE_ENV: 'production',
    PORT: String(port),
    SENDGATE_MANAGEMENT_PORT: String(port + 1),
    SENDGATE_WORKERS: String(workers),
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000000',
  });
const servers = [await start(ports.one, 1), await start(ports.two, 2)];

const script = join(mkdtempSync(join(tmpdir(), 'sendgate-workers-')), 'sixteen.lua');
writeFileSync(
  script,
  `local all
init = function()
  local one = wrk.format("GET", "${path}", { ["Host"] = "localhost", ["Accept-Encoding"] = "gzip, deflate, br" })
  all = string.rep(one, 16)
end
request = function() return all end
`,
);

async function rate(url: string): Promise<number> {
  const { stdout } = await run('wrk', ['-t1', '-c32', `-d${seconds}s`, '-s', script, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

const rates: number[][] = servers.map(() => []);
if (has('wrk')) {
  for (const { url } of servers) await rate(url);
  for (let round = 0; round < rounds; round++) {
    for (const [n, { url }] of servers.entries()) rates[n]?.push(await rate(url));
  }
}
for (const server of [...servers, sandbox]) await server.stop();
const [one = [], two = []] = rates;
const ratio = median(two.map((of, round) => of / (one[round] ?? Number.NaN)));
const told = (all: readonly number[]) => Math.round(median(all)).toLocaleString('en');
const text = has('wrk')
  ? `One process: ${told(one)} answers/s; two workers: ${told(two)}, ${ratio.toFixed(2)} times as many (medians of ${rounds} interleaved rounds of ${seconds} s; generator, workers and primary on two cores, requests in pieces of sixteen).`
  : 'wrk is not installed: nothing was measured.';
console.log(text);
if (!short && has('wrk')) {
  replaceSection('workers', `<!-- workers -->\n## Workers\n\n${text}\n\nReproduce with \`npm run bench:workers\`.\n`);
}
