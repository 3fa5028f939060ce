/**
 * `npm run bench:workers`: hits of two workers beside those of one process, on two cores. The generator has to live there
 * too, so it is as light as possible: wrk, sixteen requests in one write, and 304 answers, which are short; and pages
 * beside them. `--short` makes one round and writes nothing.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { has, median, startServer } from './processes.ts';
import { short } from './promises.ts';
import { replaceSection } from './results.ts';

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

const encodings = { 'Accept-Encoding': 'gzip, deflate, br' };
const etag = (await fetch(`${at(ports.one)}${path}`, { headers: encodings })).headers.get('etag') ?? '';
const directory = mkdtempSync(join(tmpdir(), 'sendgate-workers-'));

/** A script for wrk: sixteen requests in one write. */
function sixteen(name: string, headers: Readonly<Record<string, string>>): string {
  const file = join(directory, `${name}.lua`);
  const fields = Object.entries({ Host: 'localhost', ...headers }).map(
    ([field, value]) => `["${field}"] = [[${value}]]`,
  );
  writeFileSync(
    file,
    `local all
init = function() all = string.rep(wrk.format("GET", "${path}", { ${fields.join(', ')} }), 16) end
request = function() return all end
`,
  );
  return file;
}

const cases = [
  { name: 'answers of 304', script: sixteen('304', { ...encodings, 'If-None-Match': etag }) },
  { name: 'pages of 500 sends in br', script: sixteen('page', encodings) },
];

async function rate(url: string, script: string): Promise<number> {
  const { stdout } = await run('wrk', ['-t1', '-c32', `-d${seconds}s`, '-s', script, url]);
  if (/Non-2xx|Socket errors/.test(stdout)) throw new Error(stdout);
  return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
}

async function compare({ name, script }: (typeof cases)[number]): Promise<string> {
  const [ones, twos]: [number[], number[]] = [[], []];
  for (const { url } of servers) await rate(url, script); // warm
  for (let round = 0; round < rounds; round++) {
    ones.push(await rate(at(ports.one) + path, script));
    twos.push(await rate(at(ports.two) + path, script));
  }
  const ratio = median(twos.map((two, round) => two / (ones[round] ?? Number.NaN)));
  const [one, two] = [ones, twos].map((all) => Math.round(median(all)).toLocaleString('en'));
  return `| ${name} | ${one} | ${two} | ${ratio.toFixed(2)} |`;
}

const rows: string[] = [];
if (has('wrk')) {
  for (const one of cases) rows.push(await compare(one));
}
for (const server of [...servers, sandbox]) await server.stop();
const text = has('wrk')
  ? `Answers a second, medians of ${rounds} interleaved rounds of ${seconds} s. Generator, workers and primary live on two cores, so what the
generator takes for reading pages, the workers have not.

| | one process | two workers | times as many |
|---|---|---|---|
${rows.join('\n')}`
  : 'wrk is not installed: nothing was measured.';
console.log(text);
if (!short && has('wrk')) {
  replaceSection('workers', `<!-- workers -->\n## Workers\n\n${text}\n\nReproduce with \`npm run bench:workers\`.\n`);
}
