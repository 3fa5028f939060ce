/**
 * `npm run demo`: starts Sendgate in front of the sandbox and prints examples to try.
 */
import { mkdtempSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { systemClock } from '../clock.ts';
import { startService } from '../compose/service.ts';
import { BindFailure } from '../config/bind-failure.ts';
import { ConfigError } from '../config/config-error.ts';
import { loadConfig } from '../config/load.ts';
import { exitAfter, logDestination } from '../observability/log-destination.ts';
import { refreshTokens } from '../upstream/oauth/refresh.ts';
import { demoCampaigns, springSaleId } from './demo-campaigns.ts';
import { documentedCampaign, Sandbox } from './sandbox.ts';

const credentials = { apiKey: 'demo-api-key', accessToken: 'demo-access-token' };
const oauth = { clientId: 'demo-client-id', refreshToken: 'demo-refresh-token' };
const folder = mkdtempSync(join(tmpdir(), 'sendgate-demo-'));
process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
const readFile = (path: string) => readFileSync(path, 'utf8');

const sandbox = new Sandbox({ ...credentials, oauth, limits: { perSecond: 4, perDay: 10_000 } });
for (const campaign of demoCampaigns(Date.now())) sandbox.campaign(campaign);
await sandbox.start();

try {
  // Workers inherit this environment.
  Object.assign(process.env, {
    CONSTANT_CONTACT_BASE_URL: sandbox.url,
    CONSTANT_CONTACT_API_KEY: credentials.apiKey,
    CONSTANT_CONTACT_ACCESS_TOKEN: credentials.accessToken,
    CONSTANT_CONTACT_CLIENT_ID: oauth.clientId,
    CONSTANT_CONTACT_CLIENT_SECRET: '',
    CONSTANT_CONTACT_REFRESH_TOKEN: oauth.refreshToken,
    CONSTANT_CONTACT_TOKEN_URL: `${sandbox.url}/oauth2/default/v1/token`,
    CONSTANT_CONTACT_TOKEN_FILE: join(folder, 'tokens.json'),
  });
  const loaded = loadConfig(process.env, readFile);
  const destination = logDestination(2);
  const service = await startService(loaded, {
    clock: systemClock,
    readFile,
    logDestination: destination,
    version: 'demo',
    refreshTokens,
  });
  const base = `${service.url}${loaded.config.server.basePath}`;
  process.stdout.write(`
Sendgate is at ${base}, in front of a sandbox that behaves like Constant Contact. Open

  ${base}/

in a browser, or try:

  curl -i '${base}/campaigns'
  curl -i '${base}/campaigns/${documentedCampaign.id}/sends'
  curl -i --compressed -o /dev/null -D - '${base}/campaigns/${springSaleId}/opens'
  curl -i '${base}/campaigns/${springSaleId}/clicks?limit=2'
  curl -i '${base}/campaigns/${springSaleId}/sends?limit=0&created_since=yesterday'
  curl -fOJ '${base}/campaigns/${springSaleId}/bounces.csv'

Send a request twice and see Cache-Status change. The probes are at ${service.managementUrl}/readyz. Ctrl-C ends it.

`);
  const end = () => service.stop().then(() => exitAfter(destination, 0));
  process.once('SIGINT', end);
  process.once('SIGTERM', end);
} catch (error) {
  const isMistake = error instanceof ConfigError || error instanceof BindFailure;
  process.stderr.write(`${isMistake ? error.message : `cannot start: ${(error as Error).message}`}\n`);
  process.exit(exitCodeOf(error));
}

/** sysexits.h, as in Sendgate's own program. */
function exitCodeOf(error: unknown): number {
  if (error instanceof ConfigError) return 78;
  return error instanceof BindFailure ? 69 : 1;
}
