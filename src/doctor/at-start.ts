/**
 * The doctor's checks that a start makes behind readiness: those without a call.
 */
import type { Config } from '../config/schema.ts';
import { Transport } from '../upstream/transport.ts';
import type { CheckResult } from './check-result.ts';
import { failureOfConnecting, judgeFailure, type Target, targetsOf } from './connection.ts';
import { checkFiles } from './files.ts';

interface Parts {
  readonly userAgent: string;
  /** Ends the checks: nothing is reported after it. */
  readonly signal: AbortSignal;
  /** Called with each check that has failed, or has a warning. */
  readonly onTrouble: (result: CheckResult) => void;
}

/** Checks files, and connections that carry no request. Resolves when all checks are over. */
export async function checkAtStart(config: Config, { userAgent, signal, onTrouble }: Parts): Promise<void> {
  const tell = (result: CheckResult | undefined) => {
    if (result && isTrouble(result) && !signal.aborted) onTrouble(result);
  };
  checkFiles(config).forEach(tell);
  await Promise.all(targetsOf(config).map(async (target) => tell(await connect(target, config, userAgent, signal))));
}

export const isTrouble = ({ state }: CheckResult) => state === 'warning' || state === 'failed';

async function connect(
  target: Target,
  { constantContact: { timeoutMs, maxResponseBytes } }: Config,
  userAgent: string,
  signal: AbortSignal,
): Promise<CheckResult | undefined> {
  const transport = new Transport({ baseUrl: target.url.origin, userAgent, maxResponseBytes });
  const reason = await failureOfConnecting(transport, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  transport.close();
  return reason === undefined ? undefined : judgeFailure(target, reason);
}
