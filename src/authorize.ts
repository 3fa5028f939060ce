/**
 * `npm run authorize`: lets a person grant Sendgate access to the account's campaigns. Reads the environment and shows the
 * authorization in a terminal.
 */
import yoctoSpinner from 'yocto-spinner';
import { systemClock } from './clock.ts';
import { ConfigError } from './config/config-error.ts';
import { fileReader } from './config/file-text.ts';
import { type Loaded, loadConfig } from './config/load.ts';
import { proxyFor } from './config/outbound-proxy.ts';
import { baseUrls } from './config/sections/constant-contact.ts';
import { checkWritable } from './storage/trial.ts';
import { Authorization } from './upstream/oauth/authorization.ts';
import { TokenEndpoint } from './upstream/oauth/token-endpoint.ts';
import { maxTokenBytes } from './upstream/oauth/token-file.ts';
import { Transport } from './upstream/transport.ts';

const exConfig = 78; // sysexits.h, as in main.ts
const interrupted = 130; // 128 plus the number of SIGINT, as in shells
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
    const loaded = loadConfig(env, fileReader(), 'authorize');
    for (const warning of loaded.warnings) say(`warning: ${warning}`);
    return loaded;
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    return end(exConfig, error.message);
  }
}

const { config, secrets, proxies } = load();
const { constantContact } = config;
const { tokenUrl, tokenFile } = constantContact.oauth;
const { timeoutMs, maxResponseBytes } = constantContact;
if (constantContact.api !== 'v3') end(exConfig, 'Only v3 is authorized this way: set CONSTANT_CONTACT_API=v3.');
try {
  await checkWritable(tokenFile, maxTokenBytes);
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  end(exConfig, `The token file cannot be written (${code}): ${tokenFile}. See CONSTANT_CONTACT_TOKEN_FILE.`);
}

const clientId = secrets.clientId?.value ?? '';
const client = {
  ...{ tokenUrl, clientId, clientSecret: secrets.clientSecret?.value, userAgent, timeoutMs },
  proxy: proxyFor(tokenUrl, proxies),
};
const endpoint = new TokenEndpoint(client);
const baseUrl = constantContact.baseUrl || baseUrls.v3;
const proxy = proxyFor(baseUrl, proxies);
const transport = new Transport({ baseUrl, userAgent, timeoutMs, maxResponseBytes, proxy });
const authorization = new Authorization({
  ...{ client, endpoint, transport, tokenFile, clock: systemClock },
  configured: secrets.refreshToken?.value,
  terminal: {
    say,
    waiting: (text) => {
      spinner.text = text;
      if (!spinner.isSpinning) spinner.start();
    },
    succeed: (text) => spinner.success(text),
  },
});

for (const signal of ['SIGINT', 'SIGTERM'] as const) {
  process.on(signal, () => {
    if (authorization.state === 'waiting') end(interrupted, '\nCancelled: nothing is stored.');
    // Between the two states, the granted tokens are being stored: the signal waits for that.
    if (authorization.state === 'stored') end(interrupted, '\nCancelled: the tokens are stored.');
  });
}

const { code, text } = await authorization.run();
end(code, text);
