/**
 * What the doctor's checks return, and the exit code that follows.
 */

/**
 * `ok`; `note`: worth knowing, or not tested; `warning`: it works, and may not for long; `failed`: what is configured does not
 * work, whether Sendgate can run without it or not.
 */
export type State = 'ok' | 'note' | 'warning' | 'failed';

/** Exit code of each kind of failure, in order of cause: with several failures, the first in this list counts. */
export const exitCodes = {
  /** sysexits.h: something was found in an unconfigured or misconfigured state. */
  configuration: 78,
  proxy: 10,
  network: 11,
  tls: 12,
  answer: 13,
  credentials: 14,
  privileges: 15,
  clock: 16,
  files: 17,
  redis: 18,
  /** sysexits.h: as a start ends that cannot listen. */
  ports: 69,
} as const;

export type Kind = keyof typeof exitCodes;

export interface CheckResult {
  readonly kind: Kind;
  /** What was checked, in a few words. */
  readonly check: string;
  readonly state: State;
  readonly found: string;
  /** What to do about it. */
  readonly remedy?: string;
}

/** Returns 0 without failures; else the exit code of the first in order of cause. */
export function exitCodeOf(results: readonly CheckResult[]): number {
  const failed = new Set(results.filter(({ state }) => state === 'failed').map(({ kind }) => kind));
  const first = (Object.keys(exitCodes) as Kind[]).find((kind) => failed.has(kind));
  return first === undefined ? 0 : exitCodes[first];
}

/** `failed   TLS: …; do this` */
export function reportLine({ state, check, found, remedy }: CheckResult): string {
  return `${state.padEnd(8)} ${check}: ${found}${remedy === undefined ? '' : `; ${remedy}`}`;
}
