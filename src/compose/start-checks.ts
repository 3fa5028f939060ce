/**
 * Logs what the doctor finds without a call: at start, and about the clock in the first answer of Constant Contact.
 */
import type { Loaded } from '../config/load.ts';
import { checkAtStart, isTrouble } from '../doctor/at-start.ts';
import type { CheckResult } from '../doctor/check-result.ts';
import { judgeClock } from '../doctor/clock-difference.ts';
import type { Emit } from '../events.ts';
import type { AnswerTime } from '../upstream/answer-time.ts';

/** Starts the checks. Returns a function that ends them. */
export function startChecks(loaded: Loaded, userAgent: string, emit: Emit): () => void {
  const stop = new AbortController();
  void checkAtStart(loaded, { userAgent, signal: stop.signal, onTrouble: (result) => tell(result, emit) });
  return () => stop.abort();
}

export function warnOfClock(time: AnswerTime, emit: Emit): void {
  const result = judgeClock(time);
  if (isTrouble(result)) tell(result, emit);
}

const tell = ({ check, found, remedy }: CheckResult, emit: Emit) =>
  emit('service.check_failed', { check, found, remedy });
