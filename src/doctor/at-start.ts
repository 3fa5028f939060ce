/**
 * The doctor's checks that a start makes behind readiness: those without a call.
 */
import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { CheckResult } from './check-result.ts';
import { failureOfConnecting, judgeFailure, type Target, targetsOf, transportTo } from './connection.ts';
import { checkFiles } from './files.ts';

interface Parts {
  readonly userAgent: string;
  /** Ends the checks: nothing is reported after it. */
  readonly signal: AbortSignal;
  /** Called with each check that has failed, or has a warning. */
  readonly onTrouble: (result: CheckResult) => void;
}

/** Checks files, and connections that carry no request. Resolves when all checks are over. */
export async function checkAtStart(loaded: Loaded, { userAgent, signal, onTrouble }: Parts): Promise<void> {
  const tell = (result: CheckResult | undefined) => {
    if (result && isTrouble(result) && !signal.aborted) onTrouble(result);
  };
  const { config } = loaded;
  checkFiles(config).forEach(tell);
  await Promise.all(targetsOf(loaded).map(async (target) => tell(await connect(target, config, userAgent, signal))));
}

export const isTrouble = ({ state }: CheckResult) => state === 'warning' || state === 'failed';

async function connect(
  target: Target,
  config: Config,
  userAgent: string,
  signal: AbortSignal,
): Promise<CheckResult | undefined> {
  const { timeoutMs } = config.constantContact;
  const transport = transportTo(target, config, userAgent);
  const close = () => transport.close(); // Ends a tunnel that is being opened, too.
  signal.addEventListener('abort', close);
  const reason = await failureOfConnecting(transport, AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]));
  signal.removeEventListener('abort', close);
  close();
  return reason === undefined ? undefined : judgeFailure(target, reason);
}
