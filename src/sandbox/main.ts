/**
 * Runs the sandbox as a program. Variables: `PORT`; the credentials of either version, by Sendgate's names;
 * `SANDBOX_LIMITS=1` for the account's limits; `SANDBOX_TOKEN_SECONDS` for the lifetime of access tokens;
 * `SANDBOX_TOKEN_ANSWERS` (`standard`, `okta` or `minimal`) for the form of token responses.
 */
import { BindFailure, explainBindFailure } from '../config/bind-failure.ts';
import { demoCampaigns } from './demo-campaigns.ts';
import { Sandbox } from './sandbox.ts';

/** sysexits.h, as in Sendgate's own program. */
const [exUnavailable, exConfig] = [69, 78];

function end(code: number, text: string): never {
  process.stderr.write(`sandbox: ${text}\n`);
  process.exit(code);
}

process.once('SIGTERM', () => process.exit(0));

const { env } = process;

function integer(variable: string, minimum: number, maximum: number, preset: number): number {
  const value = Number(env[variable] || preset);
  if (Number.isInteger(value) && value >= minimum && value <= maximum) return value;
  return end(exConfig, `${variable}: is not valid; allowed: an integer from ${minimum} to ${maximum}`);
}

function oneOf<const Word extends string>(variable: string, words: readonly Word[], preset: Word): Word {
  const word = words.find((one) => one === (env[variable] || preset));
  return word ?? end(exConfig, `${variable}: is none of the allowed values; allowed: ${words.join(', ')}`);
}

const clientSecret = env['CONSTANT_CONTACT_CLIENT_SECRET'];
const accessToken = env['CONSTANT_CONTACT_ACCESS_TOKEN'];
const address = { host: env['HOST'] || '127.0.0.1', port: integer('PORT', 0, 65_535, 0) };

const sandbox = new Sandbox({
  ...address,
  apiKey: env['CONSTANT_CONTACT_API_KEY'] || 'sandbox-api-key',
  ...(accessToken ? { accessToken } : {}),
  oauth: {
    clientId: env['CONSTANT_CONTACT_CLIENT_ID'] || 'sandbox-client-id',
    ...(clientSecret ? { clientSecret } : {}),
    refreshToken: env['CONSTANT_CONTACT_REFRESH_TOKEN'] || 'sandbox-refresh-token',
    accessTokenSeconds: integer('SANDBOX_TOKEN_SECONDS', 1, 31_536_000, 86_400),
    shape: { answers: oneOf('SANDBOX_TOKEN_ANSWERS', ['standard', 'okta', 'minimal'], 'standard') },
  },
  ...(env['SANDBOX_LIMITS'] ? { limits: { perSecond: 4, perDay: 10_000 } } : {}),
});
for (const campaign of demoCampaigns(Date.now())) sandbox.campaign(campaign);
await sandbox.start().catch((error: unknown) => {
  const explained = explainBindFailure(error, address, { host: 'HOST', port: 'PORT' });
  if (explained instanceof BindFailure) end(exUnavailable, explained.message);
  throw error;
});
process.stdout.write(`sandbox on ${sandbox.url}\n`);
