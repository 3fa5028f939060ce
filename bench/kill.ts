/**
 * `npm run soak:kill`: Sendgate is killed with -9 two hundred times, at random instants of a refresh of its tokens. The
 * server rotates them: each refresh token works once, and its answer, with an `id_token` as Okta's servers send one, takes a while
 * to come. After each kill it has to start again and answer. `--short` kills ten times and leaves bench/RESULTS.md alone.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf } from '../src/sandbox/v3.ts';
import { median } from './processes.ts';
import { promise, short } from './promises.ts';
import { replaceSection } from './results.ts';

const kills = short ? 10 : 200;
const delayMs = 300;
const port = 9325;
const folder = mkdtempSync(join(tmpdir(), 'sendgate-kill-'));
const oauth = { clientId: 'kill-client-id', clientSecret: 'kill-client-secret', refreshToken: 'kill-refresh-token' };

// A life of a second: a refresh is due soon after every start. Each answer comes late, after the old token was spent.
const sandbox = await new Sandbox({
  oauth: { ...oauth, accessTokenSeconds: 1, delayMs, shape: { answers: 'okta' } },
}).start();
sandbox.campaign({ id: '1', size: 10, newestMs: Date.now() });

const env = {
  PATH: process.env['PATH'] ?? '',
  PORT: String(port),
  SENDGATE_MANAGEMENT_PORT: String(port + 1),
  SENDGATE_LOG_LEVEL: 'error',
  CONSTANT_CONTACT_API: 'v3',
  CONSTANT_CONTACT_BASE_URL: sandbox.url,
  CONSTANT_CONTACT_CLIENT_ID: oauth.clientId,
  CONSTANT_CONTACT_CLIENT_SECRET: oauth.clientSecret,
  CONSTANT_CONTACT_REFRESH_TOKEN: oauth.refreshToken,
  CONSTANT_CONTACT_TOKEN_URL: `${sandbox.url}/oauth2/default/v1/token`,
  CONSTANT_CONTACT_TOKEN_FILE: join(folder, 'tokens.json'),
};

const sleep = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));
const child = () => spawn(process.execPath, ['dist/main.js'], { env, stdio: ['ignore', 'inherit', 'inherit'] });

/** Requests until there is a response. Returns its status. */
async function firstAnswer(): Promise<number> {
  for (let tries = 0; tries < 400; tries++) {
    const answer = await fetch(`http://127.0.0.1:${port}/campaigns/${activityIdOf('1')}/sends`).catch(() => undefined);
    if (answer) {
      await answer.arrayBuffer();
      return answer.status;
    }
    await sleep(25);
  }
  return 0;
}

let atRefresh = 0;
let failures = 0;
const tookMs: number[] = [];
for (let n = 0; n < kills; n++) {
  const victim = child();
  // Every other one is killed in its first refresh, the others in one after their first answer.
  if (n % 2 === 1) {
    const startedAt = performance.now();
    const status = await firstAnswer();
    tookMs.push(performance.now() - startedAt);
    if (status !== 200) failures++;
  }
  for (let tries = 0; sandbox.tokenCallsRunning === 0 && tries < 400; tries++) await sleep(5);
  // From the moment when the token is spent until the next one has been on disk for a while.
  await sleep(Math.random() * (delayMs + 60));
  if (sandbox.tokenCallsRunning > 0) atRefresh++;
  victim.kill('SIGKILL');
  await once(victim, 'exit');
}
const survivor = child();
const last = await firstAnswer();
if (last !== 200) failures++;
survivor.kill('SIGTERM');
await once(survivor, 'exit');
await sandbox.stop();
rmSync(folder, { recursive: true });

const text = `Killed ${kills} times: ${atRefresh} of them between the moment when the old token was spent and the answer, the others just after it; ${sandbox.tokenCallCount} refreshes in all. Starts after which it did not answer 200: ${failures} of ${tookMs.length + 1}. From start to first answer: median ${(median(tookMs) / 1000).toFixed(2)} s, at most ${(Math.max(...tookMs) / 1000).toFixed(2)} s.`;
console.log(text);
if (!short) {
  replaceSection(
    'kill',
    `<!-- kill -->
## Kill -9 while tokens are refreshed

Against a token endpoint whose refresh tokens work once, whose access tokens live a second, and whose answers have an
\`id_token\` and come 300 ms after the old token is spent.

${text}

Reproduce with \`npm run soak:kill\`.
`,
  );
}
promise(failures === 0, `${failures} starts without an answer`);
