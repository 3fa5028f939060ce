/**
 * `npm run bench:before -- <folder>`: hits of this version beside those of another checkout, already built.
 * Writes bench/RESULTS.md.
 */
import { join } from 'node:path';
import { rate } from './load.ts';
import { median, onCore, startSandbox, startServer } from './processes.ts';
import { replaceSection } from './results.ts';

const [folder] = process.argv.slice(2);
if (folder === undefined) throw new Error('which other checkout?');
const [rounds, passes] = [7, 2];
const credentials = {
  CONSTANT_CONTACT_API_KEY: 'bench-api-key',
  CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token',
};
const ports = { sandbox: 9410, before: 9420, after: 9430 };
const at = (port: number) => `http://127.0.0.1:${port}`;
const path = '/campaigns/500500/sends';
const settleMs = 200;

const browser = { 'accept-encoding': 'gzip, deflate, br' };
const cases: Record<string, (etag: string) => Record<string, string>> = {
  'gzip, deflate, br': () => browser,
  'matching If-None-Match': (etag) => ({ ...browser, 'if-none-match': etag }),
  gzip: () => ({ 'accept-encoding': 'gzip' }),
  'no encoding': () => ({ 'accept-encoding': 'identity' }),
};

const start = (name: 'before' | 'after', dist: string) =>
  startServer(name, `${at(ports[name])}${path}`, onCore(0, [process.execPath, join(dist, 'dist/main.js')]), {
    ...credentials,
    NODE_ENV: 'production',
    PORT: String(ports[name]),
    SENDGATE_MANAGEMENT_PORT: String(ports[name] + 1),
    CONSTANT_CONTACT_BASE_URL: at(ports.sandbox),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000000',
    SENDGATE_QUOTA_PER_SECOND: '1000',
  });

const sandbox = await startSandbox(ports.sandbox, credentials);
const campaign = { id: '500500', size: 2_000, newestMs: Date.now() - 30 * 86_400_000 };
await fetch(`${at(ports.sandbox)}/_sandbox`, { method: 'POST', body: JSON.stringify({ campaign }) });

const ratios = new Map<string, number[]>();
for (let round = 0; round < rounds; round++) {
  const servers = [await start('before', folder), await start('after', '.')];
  for (const { url } of servers) await rate(url, browser, 1);
  for (let pass = 0; pass < passes; pass++) {
    for (const [title, headers] of Object.entries(cases)) {
      const rates: Record<string, number> = {};
      for (const { name, url } of Math.random() < 0.5 ? servers : [...servers].reverse()) {
        await new Promise((resolve) => setTimeout(resolve, settleMs));
        const first = await fetch(url, { headers: browser });
        await first.arrayBuffer();
        rates[name] = await rate(url, headers(first.headers.get('etag') ?? ''), 1);
      }
      ratios.set(title, [...(ratios.get(title) ?? []), (rates['after'] ?? 0) / (rates['before'] ?? 0)]);
    }
  }
  for (const server of servers) await server.stop();
}
await sandbox.stop();

const rows = [...ratios].map(([title, all]) => {
  const [least, most] = [Math.min(...all), Math.max(...all)].map((ratio) => ratio.toFixed(2));
  return `| ${title} | ${median(all).toFixed(3)} | ${least}–${most} |`;
});
console.log(rows.join('\n'));
replaceSection(
  'before',
  `<!-- before -->
## Hits beside the version before

Rates of this version over those of the one before, both on one core, wrk on the other; medians of ${rounds * passes} interleaved passes of
a second each, with new processes after every ${passes}.

| Accept-Encoding | ratio | least–most |
|---|---|---|
${rows.join('\n')}

Reproduce with \`npm run bench:before -- <folder of the other checkout, built>\`.
`,
);
