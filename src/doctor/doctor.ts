/**
 * The doctor: checks what Sendgate needs around it, with one call to Constant Contact. Takes no lock, refreshes no token and
 * joins no other instance, so it can run beside a live Sendgate.
 */
import type { Clock } from '../clock.ts';
import type { Loaded } from '../config/load.ts';
import type { SecretName } from '../config/secret-names.ts';
import type { SecretSource } from '../config/secret-sources.ts';
import { redactedValues } from '../config/secret-value.ts';
import { v2 } from '../upstream/v2.ts';
import { v3 } from '../upstream/v3.ts';
import { type CheckResult, exitCodeOf } from './check-result.ts';
import { judgeClock } from './clock-difference.ts';
import {
  checkName,
  failureOfConnecting,
  judgeConnected,
  judgeFailure,
  type Target,
  targetsOf,
  transportTo,
} from './connection.ts';
import { type HeldCredentials, heldCredentials, judgeCredentials } from './credentials.ts';
import { checkFiles } from './files.ts';
import { askNeutrally, judgeAnswer, judgeOtherAnswer } from './neutral-answer.ts';
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
  const [constantContact, tokenEndpoint] = targetsOf(loaded);
  const sources = Object.entries(loaded.secrets) as [SecretName, SecretSource][];
  const configured = sources.flatMap(([name, { value }]) => redactedValues(name, value));
  const held = heldCredentials(loaded, parts.clock.now());
  const results: readonly CheckResult[] = [
    { kind: 'configuration', check: 'configuration', state: 'ok', found: `valid, for Constant Contact ${api}` },
    ...(await checkApi(loaded, constantContact, held, parts)),
    ...(tokenEndpoint ? await checkConnection(loaded, tokenEndpoint, parts) : []),
    ...checkFiles(config),
    ...(await checkRedis(loaded, parts.clock)),
    ...(await checkPorts(config)),
  ];
  return {
    results,
    exitCode: exitCodeOf(results),
    secrets: [...configured, ...loaded.proxies.secrets, ...held.secrets],
  };
}

async function checkApi(
  { config }: Loaded,
  target: Target,
  held: HeldCredentials,
  { clock, userAgent }: DoctorParts,
): Promise<readonly CheckResult[]> {
  const { api, timeoutMs } = config.constantContact;
  const name = await checkName(target);
  if (name.state === 'failed') return [name];
  const transport = transportTo(target, config, userAgent);
  const adapter = api === 'v3' ? v3 : v2;
  const outcome = await askNeutrally(adapter, transport, held.sign, { clock, timeoutMs });
  transport.close();
  if ('reason' in outcome) {
    const other = judgeOtherAnswer(outcome.reason, target.setting);
    return [name, ...(other ? [...judgeConnected(target), other] : [judgeFailure(target, outcome.reason)])];
  }
  return [
    name,
    ...judgeConnected(target),
    judgeAnswer(outcome, target.setting),
    ...judgeCredentials(outcome, api, held.unusable),
    judgeClock(outcome.time),
  ];
}

/** Connects without a request. */
async function checkConnection(
  { config }: Loaded,
  target: Target,
  { userAgent }: DoctorParts,
): Promise<readonly CheckResult[]> {
  const { timeoutMs } = config.constantContact;
  const transport = transportTo(target, config, userAgent);
  const reason = await failureOfConnecting(transport, AbortSignal.timeout(timeoutMs));
  transport.close();
  return reason === undefined ? judgeConnected(target) : [judgeFailure(target, reason)];
}
