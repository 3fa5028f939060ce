/**
 * The doctor: checks what Sendgate needs around it, with one call to Constant Contact. Takes no lock, refreshes no token and
 * joins no other instance, so it can run beside a live Sendgate.
 */
import type { Clock } from '../clock.ts';
import { type Loaded, secretValuesOf } from '../config/load.ts';
import { v2 } from '../upstream/v2.ts';
import { v3 } from '../upstream/v3.ts';
import { type CheckResult, exitCodeOf } from './check-result.ts';
import { judgeClock } from './clock-difference.ts';
import { checkName, judgeConnected, judgeFailure, nameProxy } from './connection.ts';
import { type HeldCredentials, heldCredentials, judgeCredentials } from './credentials.ts';
import { checkFiles, checkStorage } from './files.ts';
import { askNeutrally, judgeAnswer, judgeOtherAnswer } from './neutral-answer.ts';
import { checkPorts } from './ports.ts';
import { checkRedis } from './redis.ts';
import { failureOfConnecting, type Target, targetsOf } from './target.ts';

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
  const held = heldCredentials(loaded, parts.clock.now());
  const targets = targetsOf(loaded);
  const results: readonly CheckResult[] = [
    ...checkConfiguration(loaded),
    ...(await checkApi(loaded, targets.api, held, parts)),
    ...(targets.tokens ? await checkConnection(loaded, targets.tokens, parts) : []),
    ...(await checkFiles(loaded)),
    ...(await checkStorage(loaded)),
    ...(await checkRedis(loaded, parts.clock)),
    ...(await checkPorts(loaded)),
  ];
  return { results, exitCode: exitCodeOf(results), secrets: [...secretValuesOf(loaded), ...held.secrets] };
}

function checkConfiguration({ config, warnings }: Loaded): readonly CheckResult[] {
  const about = { kind: 'configuration', check: 'configuration' } as const;
  const valid: CheckResult = {
    ...about,
    state: 'ok',
    found: `valid, for Constant Contact ${config.constantContact.api}`,
  };
  return [valid, ...warnings.map((found): CheckResult => ({ ...about, state: 'warning', found }))];
}

/** Makes the call. */
async function checkApi(
  { config: { constantContact }, proxies }: Loaded,
  target: Target,
  held: HeldCredentials,
  { clock, userAgent }: DoctorParts,
): Promise<readonly CheckResult[]> {
  const { api, timeoutMs } = constantContact;
  const way = [nameProxy(target, proxies), ...(target.proxy ? [] : [await checkName(target)])];
  if (way.some(({ state }) => state === 'failed')) return [...way, ...untested(api, held)];
  const transport = target.connection(userAgent);
  const outcome = await askNeutrally(api === 'v3' ? v3 : v2, transport, held.sign, { clock, timeoutMs });
  transport.close();
  if ('reason' in outcome) {
    const other = judgeOtherAnswer(outcome.reason, target.setting);
    const failed = other ? [...judgeConnected(target), other] : [judgeFailure(target, outcome.reason)];
    return [...way, ...failed, ...untested(api, held)];
  }
  return [
    ...way,
    ...judgeConnected(target),
    judgeAnswer(outcome, target.setting),
    ...judgeCredentials(outcome, api, held),
    judgeClock(outcome.time),
  ];
}

/** What only an answer can tell. */
function untested(api: 'v2' | 'v3', { unusable }: HeldCredentials): readonly CheckResult[] {
  const missing = (kind: 'credentials' | 'privileges' | 'clock'): CheckResult => ({
    ...{ kind, check: kind, state: 'note', found: 'not tested, without an answer' },
  });
  return [unusable ?? missing('credentials'), ...(api === 'v3' ? [missing('privileges')] : []), missing('clock')];
}

/** Connects without a request. */
async function checkConnection(
  { config: { constantContact }, proxies }: Loaded,
  target: Target,
  { userAgent }: DoctorParts,
): Promise<readonly CheckResult[]> {
  const reason = await failureOfConnecting(target, userAgent, AbortSignal.timeout(constantContact.timeoutMs));
  return [
    nameProxy(target, proxies),
    ...(reason === undefined ? judgeConnected(target) : [judgeFailure(target, reason)]),
  ];
}
