/**
 * `npm run authorize`: a person allows Sendgate to read the account's campaigns, once; the tokens go into the token file.
 */
import { readFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import yoctoSpinner from 'yocto-spinner';
import { ConfigError, type Loaded, loadConfig } from './config/load.ts';
import { baseUrls } from './config/schema.ts';
import { begin, untilDecided } from './upstream/oauth/device-flow.ts';
import { sha256, storeTokens, toStored } from './upstream/oauth/refresh.ts';
import { GrantError, TokenEndpoint } from './upstream/oauth/token-endpoint.ts';
import { checkWritable } from './upstream/oauth/token-file.ts';
import { Transport } from './upstream/transport.ts';

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
  invalid_client: 'Constant Contact does not know this client: see CONSTANT_CONTACT_CLIENT_ID and its secret.',
  unauthorized_client: 'The application may not use the device flow: choose it in the application’s settings.',
};

const { config, secrets } = load();
const { constantContact } = config;
const { tokenUrl, tokenFile } = constantContact.oauth;
if (constantContact.api !== 'v3') end(exConfig, 'Only v3 is authorized like this: set CONSTANT_CONTACT_API=v3.');
try {
  checkWritable(tokenFile);
} catch {
  end(exConfig, `The token file cannot be written: ${tokenFile}. See CONSTANT_CONTACT_TOKEN_FILE.`);
}

process.once('SIGINT', () => end(interrupted, '\nCancelled: nothing is stored.'));
process.once('SIGTERM', () => end(interrupted, '\nCancelled: nothing is stored.'));

const clientId = secrets.clientId?.value ?? '';
const { timeoutMs } = constantContact;
const endpoint = new TokenEndpoint({
  tokenUrl,
  clientId,
  clientSecret: secrets.clientSecret?.value,
  userAgent,
  timeoutMs,
});

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
  if (grant.refreshToken === undefined) end(1, 'No refresh token came: the application may not be used offline.');

  const configured = secrets.refreshToken?.value;
  const { refreshToken } = grant;
  const beganWith = configured === undefined ? undefined : sha256(configured);
  const tokens = toStored(grant, { clientId, refreshToken, beganWith, issuedAt: Date.now() });
  if (!(await storeTokens(tokenFile, tokens, timeoutMs))) {
    end(1, `The tokens could not be written to ${tokenFile}, and are lost. Run this again.`);
  }
  process.removeAllListeners('SIGINT'); // From here on there is something stored.
  spinner.success(`Allowed. The tokens are in ${tokenFile}`);

  await tryOut(grant.accessToken);
} catch (error) {
  if (!(error instanceof GrantError)) throw error;
  end(1, endings[error.reason] ?? `Constant Contact granted nothing (${error.reason}), so nothing is stored.`);
}
endpoint.close();

/** One call that reads nothing of anybody: which campaign the v2 id 1 has become. */
async function tryOut(accessToken: string): Promise<void> {
  const baseUrl = constantContact.baseUrl || baseUrls.v3;
  const transport = new Transport({ baseUrl, userAgent, maxResponseBytes: constantContact.maxResponseBytes });
  const request = {
    path: '/v3/emails/campaign_id_xrefs',
    query: { v2_email_campaign_ids: '1' },
    headers: { authorization: `Bearer ${accessToken}` },
  };
  const status = await transport.send(request, timeoutMs).then(
    (reply) => reply.status,
    () => undefined,
  );
  transport.close();
  if (status === 401 || status === 403) {
    end(1, `Constant Contact refuses the first call (${status}): may the application and its user read campaigns?`);
  }
  const works = status !== undefined && status < 500 && status !== 429;
  say(
    works
      ? 'It works: Constant Contact answers.'
      : 'Constant Contact could not be tried just now; the tokens are good.',
  );
}
