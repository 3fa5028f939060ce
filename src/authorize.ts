/**
 * `npm run authorize`: a person allows Sendgate to read the account's campaigns, once; the tokens go into the token file.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import yoctoSpinner from 'yocto-spinner';
import { ConfigError } from './config/config-error.ts';
import { type Loaded, loadConfig } from './config/load.ts';
import { baseUrls } from './config/sections/constant-contact.ts';
import { Problem } from './problems.ts';
import type { Reply } from './upstream/adapter.ts';
import { hasNoPath } from './upstream/answers.ts';
import { errorKey } from './upstream/error-body.ts';
import { begin, untilDecided } from './upstream/oauth/device-flow.ts';
import { refreshTokens, sha256, storeTokens, toStored } from './upstream/oauth/refresh.ts';
import { GrantError, TokenEndpoint } from './upstream/oauth/token-endpoint.ts';
import { checkWritable, readTokens } from './upstream/oauth/token-file.ts';
import { Transport } from './upstream/transport.ts';
import { mayReadReports, privilegesPath } from './upstream/v3.ts';

const exConfig = 78; // sysexits.h, as in main.ts
const interrupted = 130; // 128 and the number of SIGINT, as shells have it
const userAgent = 'sendgate-authorize';

const say = (text: string) => process.stdout.write(`${text}\n`);
const spinner = yoctoSpinner({ handleSignals: false });

function end(code: number, text: string): never {
  spinner.stop();
  say(text);
  process.exit(code);
}

function load(): Loaded {
  try {
    const env = { ...process.env, CONSTANT_CONTACT_API: process.env['CONSTANT_CONTACT_API'] || 'v3' };
    return loadConfig(env, (path) => readFileSync(path, 'utf8'), 'authorize');
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return end(exConfig, error.message);
  }
}

/** What ended it, in words, and what to do. */
const endings: Readonly<Record<string, string>> = {
  access_denied: 'Access was denied, so nothing is stored. Run this again when it may be allowed.',
  expired_token: 'The code has expired, so nothing is stored. Run this again, and be quicker.',
  invalid_client: 'Constant Contact does not know this client: see CONSTANT_CONTACT_CLIENT_ID.',
  unauthorized_client: 'The application may not use the device flow: choose it in the application’s settings.',
};

/** By the vendor's documentation: Owner and Manager may, a Campaign Creator may not. */
const noReports =
  'The user who allowed access may not read reports (a Campaign Creator may not): Constant Contact will refuse every one of them. ' +
  "Run this again, and allow access as the account's Owner or as an Account Manager. The tokens are stored all the same.";

/** It will be removed (vendor's documentation). */
const idsPath = '/v3/emails/campaign_id_xrefs';

const { config, secrets } = load();
const { constantContact } = config;
const { tokenUrl, tokenFile } = constantContact.oauth;
if (constantContact.api !== 'v3') end(exConfig, 'Only v3 is authorized like this: set CONSTANT_CONTACT_API=v3.');
try {
  checkWritable(tokenFile);
} catch {
  end(exConfig, `The token file cannot be written: ${tokenFile}. See CONSTANT_CONTACT_TOKEN_FILE.`);
}

let state: 'waiting' | 'storing' | 'stored' = 'waiting';
for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (state === 'waiting') end(interrupted, '\nCancelled: nothing is stored.');
    // What has been granted is stored first: that takes a moment.
    if (state === 'stored') end(interrupted, '\nCancelled: the tokens are stored.');
  });
}

const clientId = secrets.clientId?.value ?? '';
const { timeoutMs } = constantContact;
const client = { tokenUrl, clientId, clientSecret: secrets.clientSecret?.value, userAgent, timeoutMs };
const endpoint = new TokenEndpoint(client);

try {
  const code = await begin(endpoint, (seconds) => delay(seconds * 1000));
  say(`\nOpen  ${code.verificationUri}\nand allow access if it shows the code  ${code.userCode}\n`);
  const expiresAt = performance.now() + code.expiresInSeconds * 1000;
  spinner.start();
  const grant = await untilDecided(endpoint, code, async (seconds) => {
    const until = performance.now() + seconds * 1000;
    while (performance.now() < until) {
      const left = Math.max(0, Math.round((expiresAt - performance.now()) / 1000));
      spinner.text = `Waiting for you, ${Math.floor(left / 60)}:${String(left % 60).padStart(2, '0')} left`;
      await delay(Math.min(1000, Math.max(1, until - performance.now())));
    }
  });
  state = 'storing';
  if (grant.refreshToken === undefined) end(1, 'No refresh token came: the application may not be used offline.');

  const configured = secrets.refreshToken?.value;
  const { refreshToken } = grant;
  const beganWith = configured === undefined ? undefined : sha256(configured);
  const tokens = toStored(grant, { clientId, refreshToken, beganWith, issuedAt: Date.now() });
  if (!(await storeTokens(tokenFile, tokens))) {
    end(1, `The tokens could not be written to ${tokenFile}, and are lost. Run this again.`);
  }
  state = 'stored';
  spinner.success(`Allowed. The tokens are in ${tokenFile}`);

  await tryOut(grant.accessToken ?? (await refreshed(configured)));
} catch (error) {
  if (!(error instanceof GrantError)) throw error;
  end(1, endings[error.reason] ?? `Constant Contact granted nothing (${error.reason}), so nothing is stored.`);
}
endpoint.close();

/** An access token for a grant that brought none which can be used. */
async function refreshed(configured: string | undefined): Promise<string> {
  await delay(1_000); // The endpoint takes one call a second.
  const { outcome, reason } = await refreshTokens({ ...client, tokenFile, refreshToken: configured });
  const accessToken = readTokens(tokenFile, clientId)?.accessToken;
  if (outcome === 'renewed' && accessToken) return accessToken;
  return end(
    1,
    `They have no access token that can be used yet (${reason}). They are kept: Sendgate asks for one when it runs.`,
  );
}

/** Two calls that read no personal data: the user's privileges, and what the v2 id 1 means. */
async function tryOut(accessToken: string): Promise<void> {
  const baseUrl = constantContact.baseUrl || baseUrls.v3;
  const transport = new Transport({ baseUrl, userAgent, maxResponseBytes: constantContact.maxResponseBytes });
  const headers = { authorization: `Bearer ${accessToken}` };
  const ask = async (path: string, query: Readonly<Record<string, string>>) => {
    const reply = await transport.send({ path, query, headers }, timeoutMs).catch(() => undefined);
    if (reply && !(path === idsPath && hasNoPath(reply))) endIfRefused(reply);
    return reply && reply.status < 500 && reply.status !== 429 ? reply : undefined;
  };
  const privileges = await ask(privilegesPath, {});
  if (privileges?.status === 200 && !readsReports(privileges.body)) end(1, noReports);
  const campaigns = await ask(idsPath, { v2_email_campaign_ids: '1' });
  transport.close();
  say(
    privileges && campaigns
      ? 'It works: Constant Contact answers.'
      : 'Constant Contact could not be tried just now; the tokens are good.',
  );
}

function endIfRefused({ status, body }: Reply): void {
  if (status === 403 && errorKey(body) === 'access_denied') end(1, noReports);
  if (status !== 401 && status !== 403) return;
  end(
    1,
    `Constant Contact refuses the first call (${status}): may the application and its user read campaigns? The tokens are stored.`,
  );
}

/** A list that cannot be read tells nothing. */
function readsReports(body: string): boolean {
  try {
    mayReadReports(body);
    return true;
  } catch (error) {
    return !(error instanceof Problem && error.reason === 'privileges');
  }
}
