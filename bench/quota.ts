/**
 * `npm run bench:quota`: what the quota, the circuit breaker and read-ahead do against a sandbox with its limits on.
 * Fails when a promise is broken. `--short` takes a quarter of a minute for each, does not judge speed, and leaves RESULTS.md alone.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { median, type Server, startServer } from './processes.ts';
import { promise, promiseOfSpeed, short } from './promises.ts';
import { replaceSection } from './results.ts';
import { agent, ask, paced, tally, told } from './traffic.ts';

const env = { CONSTANT_CONTACT_API_KEY: 'bench-api-key', CONSTANT_CONTACT_ACCESS_TOKEN: 'bench-access-token' };
const node = process.execPath;
const teams = ['a', 'b', 'c', 'd', 'e'];
let nextPort = 9330;

interface Pair {
  readonly url: string;
  order(orders?: object): Promise<{ callCount: number; limitAnswers: number }>;
  stop(): Promise<void>;
}

/** A Sendgate with its own sandbox. */
async function pair(settings: Record<string, string> = {}): Promise<Pair> {
  const [sandboxPort, port, managementPort] = [nextPort++, nextPort++, nextPort++].map(String) as [
    string,
    string,
    string,
  ];
  const at = (of: string) => `http://127.0.0.1:${of}`;
  const servers: Server[] = [];
  servers.push(
    await startServer('sandbox', `${at(sandboxPort)}/_sandbox`, [node, 'dist/sandbox/main.js'], {
      ...env,
      SANDBOX_LIMITS: '1',
      PORT: sandboxPort,
    }),
    await startServer('Sendgate', `${at(managementPort)}/livez`, [node, 'dist/main.js'], {
      ...env,
      PORT: port,
      SENDGATE_MANAGEMENT_PORT: managementPort,
      CONSTANT_CONTACT_BASE_URL: at(sandboxPort),
      SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000000',
      SENDGATE_SERVER_TRUST_PROXY: 'loopback',
      SENDGATE_TEAMS: JSON.stringify(teams.map((name) => ({ name, header: { name: 'x-team', value: name } }))),
      SENDGATE_LOG_LEVEL: 'error',
      ...settings,
    }),
  );
  return {
    url: at(port),
    order: async (orders = {}) => {
      const answer = await fetch(`${at(sandboxPort)}/_sandbox`, { method: 'POST', body: JSON.stringify(orders) });
      return (await answer.json()) as { callCount: number; limitAnswers: number };
    },
    stop: async () => {
      for (const server of servers.reverse()) await server.stop();
    },
  };
}

/** Fifty cold pages a second from five teams, for five minutes: twelve times what the account may call. */
async function limits(): Promise<string> {
  const seconds = short ? 10 : 300;
  const { url, order, stop } = await pair();
  for (let id = 1; id <= 30; id++) await order({ campaign: { id: String(id), size: 2_000, newestMs: Date.now() } });
  await order({ forget: true });
  const started = performance.now();
  const statuses = new Map<string, number>();
  const served = new Map<string, number>();
  await paced(50, seconds, async (n) => {
    const team = teams[n % teams.length] as string;
    const { status } = await ask(`${url}/campaigns/${1 + (n % 30)}/sends?limit=${1 + Math.floor(n / 30)}`, team);
    tally(statuses, String(status));
    if (status === 200) tally(served, team);
  });
  const { callCount, limitAnswers } = await order();
  const took = (performance.now() - started) / 1000;
  await stop();
  promise(limitAnswers === 0, `limits: ${limitAnswers} limit answers`);
  const used = (100 * callCount) / (4 * took);
  return `- **Limits.** ${seconds} s of 50 distinct cold pages a second from 5 teams: ${callCount.toLocaleString('en')} calls (${used.toFixed(1)} % of what 4/s allows), ${limitAnswers} limit answers from the sandbox. Answers ${told(statuses)}; pages by team ${told(served)}.`;
}

/** Two hundred requests a second for held and other pages, while the upstream answers 500 for two minutes. */
async function outage(): Promise<string> {
  const seconds = short ? 10 : 120;
  const probeMs = 5_000;
  const { url, order, stop } = await pair({
    SENDGATE_CONSTANT_CONTACT_BREAKER_PROBE_MS: String(probeMs),
    SENDGATE_CACHE_MIN_FRESH_SECONDS: '5',
    SENDGATE_QUOTA_PER_DAY: '100000',
  });
  for (let id = 1; id <= 40; id++) await order({ campaign: { id: String(id), size: 500, newestMs: Date.now() } });
  for (let id = 1; id <= 20; id++) while ((await ask(`${url}/campaigns/${id}/sends`)).status !== 200) await delay(250);
  await order({ forget: true, fault: { kind: 'status', status: 500 } });
  const held = new Map<string, number>();
  const others = new Map<string, number>();
  await paced(200, seconds, async (n) => {
    const cold = n % 20 === 0;
    const { status } = await ask(`${url}/campaigns/${cold ? 21 + (n % 19) : 1 + (n % 20)}/sends`);
    tally(cold ? others : held, String(status));
  });
  const { callCount } = await order({ heal: true });
  const healed = performance.now();
  while ((await ask(`${url}/campaigns/25/sends`)).status !== 200 && performance.now() - healed < 60_000)
    await delay(50);
  const recovery = (performance.now() - healed) / 1000;
  await stop();
  // Ten failures in a row, the four calls in flight, ten retries, and the probes.
  const allowed = 1.1 * (10 + 4 + 10 + Math.ceil((seconds * 1000) / probeMs));
  promise(callCount <= allowed, `outage: ${callCount} calls, over ${allowed}`);
  promise([...held.keys()].join() === '200', `outage: held pages answered ${told(held)}`);
  promiseOfSpeed(recovery <= probeMs / 1000 + 1, `outage: recovered after ${recovery} s`);
  return `- **Outage.** ${seconds} s of 500s under 200 requests/s: ${callCount} calls reached the upstream (bound ${Math.floor(allowed)}: failures to open the circuit, calls in flight, retry budget and a probe every ${probeMs / 1000} s, and a tenth). Held pages ${told(held)}; others ${told(others)}. Recovered ${recovery.toFixed(1)} s after the upstream did.`;
}

/** Walks a campaign, working 200 ms on each page. Returns milliseconds. */
async function walk(url: string, campaign: string, pages: number): Promise<number> {
  const started = performance.now();
  let target = `/campaigns/${campaign}/sends?limit=100`;
  for (let n = 0; n < pages; n++) {
    const { status, link } = await ask(`${url}${target}`);
    promise(status === 200, `read-ahead: ${status}`);
    await delay(200);
    target = link;
  }
  return performance.now() - started;
}

/** A cold walk of 20 pages by a caller who works 200 ms on each, at 250 ms upstream, with and without read-ahead. */
async function readAhead(): Promise<string> {
  const rounds = short ? 1 : 5;
  const pages = 20;
  const both = [
    { name: 'with', times: [] as number[], calls: [] as number[], ...(await pair()) },
    {
      name: 'without',
      times: [] as number[],
      calls: [] as number[],
      ...(await pair({ SENDGATE_CACHE_READ_AHEAD_PAGES: '0' })),
    },
  ];
  for (const { order } of both) await order({ fault: { kind: 'latency', ms: 250 } });
  // In the first round both measure the round trip.
  for (let round = 0; round <= rounds; round++) {
    for (const { url, order, times, calls } of both) {
      const id = String(100 + round);
      await order({ campaign: { id, size: pages * 100, newestMs: Date.now() }, forget: true });
      const took = await walk(url, id, pages);
      const { callCount } = await order();
      if (round > 0) {
        times.push(took);
        calls.push(callCount);
      }
      await delay(1_100);
    }
  }
  for (const { stop } of both) await stop();
  const [withIt, without] = both.map(({ times }) => median(times) / 1000) as [number, number];
  const calls = both.map((one) => `${one.name} ${Math.max(...one.calls)}`).join(', ');
  promise(
    both.every((one) => one.calls.every((count) => count === pages)),
    `read-ahead: calls ${calls}`,
  );
  promiseOfSpeed(without / withIt >= 1.7, `read-ahead: ${(without / withIt).toFixed(2)} times as fast`);
  return `- **Read-ahead.** A cold walk of ${pages} pages, 200 ms of work on each, 250 ms upstream: ${withIt.toFixed(2)} s with it, ${without.toFixed(2)} s without: ${(without / withIt).toFixed(2)} times as fast (medians of ${rounds}, interleaved). Upstream calls ${calls}.`;
}

async function tell(run: () => Promise<string>): Promise<string> {
  const line = await run();
  console.log(line);
  return line;
}

const runs = [limits, outage, readAhead];
// None takes much of the machine: the short form waits for all three at once.
const lines = short ? await Promise.all(runs.map(tell)) : [];
if (!short) for (const run of runs) lines.push(await tell(run));
agent.destroy();
const text = `<!-- quota -->
## Quota, outage, read-ahead

Against a sandbox with the account's limits on (4 calls in any second, 10,000 a day).

${lines.join('\n')}

Reproduce with \`npm run bench:quota\`.
`;
if (!short) replaceSection('quota', text);
