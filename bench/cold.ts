/**
 * `npm run bench:cold`: what a page costs when it arrives, from each version and for each report: parse, check, render, tag,
 * compress. Beside it, in the same run, `JSON.parse` and `brotliCompress` of the same bytes. Fails when a page costs more
 * than three times their sum. `--short` makes fewer rounds, allows eight times, and leaves RESULTS.md alone.
 */
import { promisify } from 'node:util';
import zlib, { constants } from 'node:zlib';
import { brotli } from '../src/cache/compression.ts';
import { bodyOf, tagOf } from '../src/cache/page.ts';
import { contentOf } from '../src/cache/page-format.ts';
import type { PageQuery } from '../src/model/page-query.ts';
import { allReports, reports } from '../src/model/reports.ts';
import { newest, type ReportName } from '../src/model/resource.ts';
import { readRows, renderPage } from '../src/reports/page-json.ts';
import { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import type { Adapter } from '../src/upstream/adapter.ts';
import { v2 } from '../src/upstream/v2.ts';
import { v3 } from '../src/upstream/v3.ts';
import { median, onCore, processorUs, startSandbox, startServer } from './processes.ts';
import { promise, short } from './promises.ts';
import { replaceSection } from './results.ts';

/** Rounds, each of one page of every kind; the first ones warm the compiler up. */
const [warm, rounds] = short ? [50, 50] : [300, 500];
/** One round is only an estimate. */
const maxRatio = short ? 8 : 3;
const adapters: Readonly<Record<string, Adapter>> = { v2, v3 };
const format = {
  render: (query: PageQuery, page: Parameters<typeof renderPage>[2]) => renderPage('', query, page),
  readRows,
};

const stages = ['parse, check', 'render', 'tag', 'compress'] as const;
type Stage = (typeof stages)[number];
const references = ['JSON.parse', 'brotliCompress'] as const;
type Reference = (typeof references)[number];

interface Kind {
  readonly api: string;
  readonly report: ReportName;
  readonly query: PageQuery;
  /** Constant Contact's answer. */
  readonly body: string;
  /** What Sendgate makes of it. */
  readonly content: Buffer;
  readonly ms: Record<Stage | Reference, number[]>;
}

const apiKey = 'bench-api-key';
const oauth = { clientId: 'bench-client', refreshToken: 'bench-refresh-token' };
const id = '1100394165287';

async function kinds(): Promise<Kind[]> {
  const sandbox = await new Sandbox({ apiKey, oauth }).start();
  const size = { size: 2_000 };
  const all = Object.fromEntries(allReports.map(({ name }) => [name, size]));
  sandbox.campaign({ id, ...size, reports: all, newestMs: Date.now() - 30 * 86_400_000 });
  const grant = { grant_type: 'refresh_token', refresh_token: oauth.refreshToken, client_id: oauth.clientId };
  const form = { method: 'POST', body: new URLSearchParams(grant) };
  const { access_token } = (await (await fetch(`${sandbox.url}/oauth2/default/v1/token`, form)).json()) as {
    access_token: string;
  };
  const made: Kind[] = [];
  for (const [api, adapter] of Object.entries(adapters)) {
    for (const { name: report } of allReports) {
      const campaign = api === 'v3' ? activityIdOf(id) : id;
      const query: PageQuery = { kind: 'first', resource: report, campaign, limit: 500 };
      const { path, search, query: parameters } = adapter.page(query).request;
      const target = `${sandbox.url}${path}?${search ?? new URLSearchParams({ ...parameters, api_key: apiKey })}`;
      const answer = await fetch(target, { headers: { authorization: `Bearer ${access_token}` } });
      if (answer.status !== 200) throw new Error(`${api} ${report}: ${answer.status}`);
      const none = [...stages, ...references].map((name) => [name, [] as number[]]);
      const body = await answer.text();
      const content = Buffer.from(renderPage('', query, adapter.page(query).parse(body)).json);
      made.push({ api, report, query, body, content, ms: Object.fromEntries(none) as Kind['ms'] });
    }
  }
  await sandbox.stop();
  return made;
}

const compress = promisify(zlib.brotliCompress);
/** The parameters of `src/cache/compression.ts`. */
const paramsOf = (bytes: Buffer) => ({
  [constants.BROTLI_PARAM_QUALITY]: 4,
  [constants.BROTLI_PARAM_MODE]: constants.BROTLI_MODE_TEXT,
  [constants.BROTLI_PARAM_SIZE_HINT]: bytes.length,
});

/** Passes one page through what a miss passes it through (`PageFetcher`, `makeBody`). */
async function arrive({ api, report, query, body, ms }: Kind): Promise<void> {
  let last = performance.now();
  const lap = (stage: Stage) => {
    const now = performance.now();
    ms[stage].push(now - last);
    last = performance.now();
  };
  const page = (adapters[api] as Adapter).page(query).parse(body);
  lap('parse, check');
  newest(reports[report], page.rows); // Its freshness.
  const content = contentOf(format, query, page);
  lap('render');
  const etag = tagOf(content.json);
  lap('tag');
  const identity = Buffer.from(content.json);
  bodyOf(content, etag, await brotli(identity), identity.length);
  lap('compress');
}

async function refer({ body, content, ms }: Kind): Promise<void> {
  const begun = performance.now();
  JSON.parse(body);
  ms['JSON.parse'].push(performance.now() - begun);
  const parsed = performance.now();
  await compress(content, { params: paramsOf(content) });
  ms.brotliCompress.push(performance.now() - parsed);
}

const all = await kinds();
for (let round = 0; round < warm + rounds; round++) {
  if (round === warm) for (const { ms } of all) for (const times of Object.values(ms)) times.length = 0;
  for (const kind of all) {
    for (const measure of round % 2 === 0 ? [arrive, refer] : [refer, arrive]) await measure(kind);
    await new Promise(setImmediate);
  }
}

interface OverHttp {
  /** Milliseconds of a cold page through Sendgate, and from the sandbox itself. */
  readonly through: number;
  readonly direct: number;
  /** Milliseconds of all of Sendgate's threads for a cold page. */
  readonly processor: number;
}

/** Cold pages of sends over HTTP, one at a time. */
async function overHttp(): Promise<OverHttp> {
  const at = (port: number) => `http://127.0.0.1:${port}`;
  const [sandboxPort, port, managementPort] = [9540, 9541, 9542] as const;
  const env = { CONSTANT_CONTACT_API_KEY: apiKey, CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
  const sandbox = await startSandbox(sandboxPort, env);
  const campaign = { id, size: 2_000, newestMs: Date.now() - 30 * 86_400_000 };
  await fetch(`${at(sandboxPort)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });
  const command = onCore(0, [process.execPath, 'dist/main.js']);
  const sendgate = await startServer('Sendgate', `${at(managementPort)}/livez`, command, {
    ...env,
    NODE_ENV: 'production',
    PORT: String(port),
    SENDGATE_MANAGEMENT_PORT: String(managementPort),
    CONSTANT_CONTACT_BASE_URL: at(sandboxPort),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
    SENDGATE_QUOTA_PER_SECOND: '1000',
  });
  const timed = async (url: string, headers: Record<string, string>) => {
    const begun = performance.now();
    const answer = await fetch(url, { headers });
    await answer.arrayBuffer();
    if (answer.status !== 200) throw new Error(`${url}: ${answer.status}`);
    return performance.now() - begun;
  };
  const times = { through: [] as number[], direct: [] as number[] };
  let before = 0;
  const headers = { 'accept-encoding': 'br', authorization: 'Bearer bench-access-token' };
  for (let n = 0; n < warm + rounds; n++) {
    if (n === warm) before = processorUs(sendgate);
    const since = `created_since=${new Date(n * 1000).toISOString()}`;
    const path = `/v2/emailmarketing/campaigns/${id}/tracking/sends?limit=500&${since}&api_key=${apiKey}`;
    const through = await timed(`${at(port)}/campaigns/${id}/sends?${since}`, { 'accept-encoding': 'br' });
    const direct = await timed(`${at(sandboxPort)}${path}`, headers);
    if (n < warm) continue;
    times.through.push(through);
    times.direct.push(direct);
  }
  const processor = (processorUs(sendgate) - before) / 1_000 / rounds;
  await sendgate.stop();
  await sandbox.stop();
  return { through: median(times.through), direct: median(times.direct), processor };
}
const { through, direct, processor } = await overHttp();

let ownOfSends = 0;
const rows = all.map(({ api, report, body, ms }) => {
  const own = stages.map((stage) => median(ms[stage]));
  const beside = references.map((name) => median(ms[name]));
  const sum = (values: readonly number[]) => values.reduce((total, value) => total + value, 0);
  if (api === 'v2' && report === 'sends') ownOfSends = sum(own);
  const ratio = sum(own) / sum(beside);
  promise(ratio <= maxRatio, `${api} ${report}: ${ratio.toFixed(2)} times JSON.parse and brotliCompress`);
  const cells = [...own, sum(own), ...beside].map((value) => value.toFixed(2));
  return `| ${api} | ${report} | ${(body.length / 1000).toFixed(0)} | ${cells.join(' | ')} | ${ratio.toFixed(2)} |`;
});
const text = `A page of 500 rows as it arrives: Constant Contact's answer is parsed, checked row by row, rendered, tagged and compressed. Milliseconds, medians of ${rounds}
pages of each kind, interleaved, in one process; beside them \`JSON.parse\` of the same answer and \`brotliCompress\` of the same content at the same quality.

| API | report | KB | ${stages.join(' | ')} | all | ${references.map((name) => `\`${name}\``).join(' | ')} | times their sum |
|---|---|---|${'---|'.repeat(stages.length + references.length + 2)}
${rows.join('\n')}

Over HTTP, one v2 page of sends at a time takes ${through.toFixed(1)} ms through Sendgate and ${direct.toFixed(1)} ms from the sandbox itself. Sendgate's threads, all on one core, take
${processor.toFixed(1)} ms of processor time for it: ${ownOfSends.toFixed(1)} are the stages above; the rest is HTTP (the caller's request, node-fetch's call, gunzip of the answer, the
response), garbage collection, and waking up threads for gunzip and Brotli.`;
console.log(text);
if (!short) {
  replaceSection(
    'cold',
    `<!-- cold -->\n## The cost of a cold page\n\n${text}\n\nReproduce with \`npm run bench:cold\`.\n`,
  );
}
