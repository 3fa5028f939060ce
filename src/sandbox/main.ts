/**
 * Runs the sandbox as a program. Variables: `PORT`; the credentials of either version, by Sendgate's names;
 * `SANDBOX_LIMITS=1` for the account's limits; `SANDBOX_TOKEN_SECONDS` for the lifetime of access tokens;
 * `SANDBOX_TOKEN_ANSWERS` (`standard`, `okta` or `minimal`) for the form of token responses.
 */
import { demoCampaigns } from './demo-campaigns.ts';
import type { TokenShape } from './oauth/token-shape.ts';
import { Sandbox } from './sandbox.ts';

const { env } = process;
const clientSecret = env['CONSTANT_CONTACT_CLIENT_SECRET'];
const answers = ['okta', 'minimal'].find((name) => name === env['SANDBOX_TOKEN_ANSWERS']) as TokenShape['answers'];
const accessToken = env['CONSTANT_CONTACT_ACCESS_TOKEN'];

const sandbox = new Sandbox({
  host: env['HOST'] || '127.0.0.1',
  port: Number(env['PORT'] || 0),
  apiKey: env['CONSTANT_CONTACT_API_KEY'] || 'sandbox-api-key',
  ...(accessToken ? { accessToken } : {}),
  oauth: {
    clientId: env['CONSTANT_CONTACT_CLIENT_ID'] || 'sandbox-client-id',
    ...(clientSecret ? { clientSecret } : {}),
    refreshToken: env['CONSTANT_CONTACT_REFRESH_TOKEN'] || 'sandbox-refresh-token',
    accessTokenSeconds: Number(env['SANDBOX_TOKEN_SECONDS'] || 86_400),
    ...(answers ? { shape: { answers } } : {}),
  },
  ...(env['SANDBOX_LIMITS'] ? { limits: { perSecond: 4, perDay: 10_000 } } : {}),
});
for (const campaign of demoCampaigns(Date.now())) sandbox.campaign(campaign);
await sandbox.start();
process.stdout.write(`sandbox on ${sandbox.url}\n`);
process.once('SIGTERM', () => process.exit(0));
