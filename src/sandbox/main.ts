/**
 * The sandbox as a process of its own: `PORT`, `CONSTANT_CONTACT_API_KEY`, `CONSTANT_CONTACT_ACCESS_TOKEN`, and
 * `SANDBOX_LIMITS=1` for the account's limits.
 */
import { documentedCampaign, Sandbox } from './sandbox.ts';

const { PORT, HOST, CONSTANT_CONTACT_API_KEY, CONSTANT_CONTACT_ACCESS_TOKEN, SANDBOX_LIMITS } = process.env;

const sandbox = new Sandbox({
  host: HOST || '127.0.0.1',
  port: Number(PORT || 0),
  apiKey: CONSTANT_CONTACT_API_KEY || 'sandbox-api-key',
  ...(CONSTANT_CONTACT_ACCESS_TOKEN ? { accessToken: CONSTANT_CONTACT_ACCESS_TOKEN } : {}),
  ...(SANDBOX_LIMITS ? { limits: { perSecond: 4, perDay: 10_000 } } : {}),
});
sandbox.campaign(documentedCampaign);
await sandbox.start();
process.stdout.write(`sandbox on ${sandbox.url}\n`);
process.once('SIGTERM', () => process.exit(0));
