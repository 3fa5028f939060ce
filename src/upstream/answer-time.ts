/**
 * When an answer of Constant Contact was made.
 */
import type { Reply } from './adapter.ts';

/** By this machine's wall clock. */
export interface AnswerTime {
  /** The answer's `Date`, unparsed. */
  readonly date: string | undefined;
  /** Halfway between request and answer, and half the time between them. */
  readonly atMs: number;
  readonly uncertainMs: number;
}

export function answerTimeOf({ headers }: Reply, sentAtMs: number, receivedAtMs: number): AnswerTime {
  const uncertainMs = (receivedAtMs - sentAtMs) / 2;
  return { date: headers['date'], atMs: sentAtMs + uncertainMs, uncertainMs };
}
