/**
 * The doctor: checks what Sendgate needs around it, with one call to Constant Contact. Takes no lock, refreshes no token and
 * joins no other instance, so it can run beside a live Sendgate.
 */
import type { Clock } from '../clock.ts';
import type { Loaded } from '../config/load.ts';
import { redactedValues, type SecretName, type SecretSource } from '../config/secret-sources.ts';
import { baseUrls } from '../config/sections/constant-contact.ts';
import { Transport } from '../upstream/transport.ts';
import { v2 } from '../upstream/v2.ts';
import { v3 } from '../upstream/v3.ts';
import { type CheckResult, exitCodeOf } from './check-result.ts';
import { judgeClock } from './clock-difference.ts';
import { checkName, failureOfConnecting, judgeConnected, judgeFailure, type Target } from './connection.ts';
import { heldCredentials, judgeCredentials } from './credentials.ts';
import { checkFiles } from './files.ts';
import { askNeutrally, judgeAnswer } from './neutral-answer.ts';
import { checkPorts } from './ports.ts';
import { checkRedis } from './redis.ts';

export interface DoctorParts {
  readonly clock: Clock;
  readonly userAgent: string;
}

export interface Report {
  readonly results: readonly CheckResult[];
  readonly exitCode: number;
  /** Every secret that could be in a result. */
  readonly secrets: readonly string[];
}

/** Examines a valid configuration. */
export async function examine(loaded: Loaded, parts: DoctorParts): Promise<Report> {
  const { config } = loaded;
  const { api } = config.constantContact;
  const configured = (Object.entries(loaded.secrets) as [SecretName, SecretSource][]).flatMap((one) =>
    redactedValues(...one),
  );
  const held = heldCredentials(loaded, parts.clock.now());
  const results: readonly CheckResult[] = [
    { kind: 'configuration', check: 'configuration', state: 'ok', found: `valid, for Constant Contact ${api}` },
    ...(await checkApi(loaded, held, parts)),
    ...(api === 'v3' ? await checkTokenEndpoint(loaded, parts) : []),
    ...checkFiles(config),
    ...(await checkRedis(loaded, parts.clock)),
    ...(await checkPorts(config)),
  ];
  return { results, exitCode: exitCodeOf(results), secrets: [...configured, ...held.secrets] };
}

async function checkApi(
  { config: { constantContact } }: Loaded,
  held: ReturnType<typeof heldCredentials>,
  { clock, userAgent }: DoctorParts,
): Promise<readonly CheckResult[]> {
  const { api, timeoutMs, maxResponseBytes } = constantContact;
  const baseUrl = constantContact.baseUrl || baseUrls[api];
  const target: Target = { name: 'Constant Contact', url: new URL(baseUrl), setting: 'constantContact.baseUrl' };
  const name = await checkName(target);
  if (name.state === 'failed') return [name];
  const transport = new Transport({ baseUrl, userAgent, maxResponseBytes });
  const adapter = api === 'v3' ? v3 : v2;
  const outcome = await askNeutrally(adapter, transport, held.sign, { clock, timeoutMs });
  transport.close();
  if ('reason' in outcome) return [name, judgeFailure(target, outcome.reason)];
  return [
    name,
    ...judgeConnected(target),
    judgeAnswer(outcome, target.setting),
    ...judgeCredentials(outcome, api, held.unusable),
    judgeClock({ ...outcome, date: outcome.reply.headers['date'] }),
  ];
}

/** Connects to where tokens are refreshed, without a request. */
async function checkTokenEndpoint(
  { config: { constantContact } }: Loaded,
  { userAgent }: DoctorParts,
): Promise<readonly CheckResult[]> {
  const { timeoutMs, maxResponseBytes, oauth } = constantContact;
  const url = new URL(oauth.tokenUrl);
  const target: Target = { name: 'the token endpoint', url, setting: 'constantContact.oauth.tokenUrl' };
  const transport = new Transport({ baseUrl: url.origin, userAgent, maxResponseBytes });
  const reason = await failureOfConnecting(transport, AbortSignal.timeout(timeoutMs));
  transport.close();
  return reason === undefined ? judgeConnected(target) : [judgeFailure(target, reason)];
}
