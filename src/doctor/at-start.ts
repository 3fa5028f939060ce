/**
 * The doctor's checks that a start makes behind readiness: those without a call.
 */
import type { Loaded } from '../config/load.ts';
import type { CheckResult } from './check-result.ts';
import { judgeFailure } from './connection.ts';
import { checkFiles } from './files.ts';
import { failureOfConnecting, type Target, targetsOf } from './target.ts';

interface Parts {
  readonly userAgent: string;
  /** Ends the checks: nothing is reported after it. */
  readonly signal: AbortSignal;
  /** Called with each check that has failed, or has a warning. */
  readonly onTrouble: (result: CheckResult) => void;
}

/** Checks files (what is wrong with storage is logged as it is opened), and connections that carry no request. Resolves when all checks are over. */
export async function checkAtStart(loaded: Loaded, { userAgent, signal, onTrouble }: Parts): Promise<void> {
  const tell = (result: CheckResult) => {
    if (isTrouble(result) && !signal.aborted) onTrouble(result);
  };
  const { timeoutMs } = loaded.config.constantContact;
  const connect = async (target: Target) => {
    const reason = await failureOfConnecting(
      target,
      userAgent,
      AbortSignal.any([signal, AbortSignal.timeout(timeoutMs)]),
    );
    if (reason !== undefined) tell(judgeFailure(target, reason));
  };
  const files = async () => (await checkFiles(loaded)).forEach(tell);
  const { api, tokens } = targetsOf(loaded);
  await Promise.all([files(), connect(api), tokens && connect(tokens)]);
}

export const isTrouble = ({ state }: CheckResult) => state === 'warning' || state === 'failed';
