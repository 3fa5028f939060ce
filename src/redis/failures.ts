/**
 * Classifies Redis failures into reasons that are safe to log: Redis' own messages may contain anything.
 */

export interface Failure {
  /** From a closed set. */
  readonly reason: string;
  /** For `no-permission`: the commands, keys or channels that were denied. */
  readonly denied?: string | undefined;
}

/** Thrown when a reply exceeds its time limit. */
export class Late extends Error {}

const reasons: readonly (readonly [RegExp, string])[] = [
  [/^(NOPERM|ERR ACL failure|ERR The user executing the script can't)/, 'no-permission'],
  [/^(NOAUTH|WRONGPASS|ERR AUTH|ERR invalid password|ERR Client sent AUTH)/, 'refused'],
  [/^OOM/, 'full'],
  [/^MISCONF/, 'cannot-save'],
  [/^READONLY/, 'read-only'],
  [/^(LOADING|BUSY|MASTERDOWN|CLUSTERDOWN|TRYAGAIN|NOREPLICAS)/, 'not-ready'],
  // A cluster configured as a single server, and the reverse.
  [/^(MOVED|ASK|CROSSSLOT)/, 'is-cluster'],
  [/^ERR This instance has cluster support disabled/, 'no-cluster'],
  [/^ERR (DB index is out of range|invalid DB index)/, 'no-database'],
];

/** Whether an operator has to act. Logged even if another reason was logged before. */
export const isForPerson = (reason: string) =>
  [
    ...['no-permission', 'refused', 'full', 'cannot-save', 'read-only', 'is-cluster', 'no-cluster', 'no-database'],
  ].includes(reason);

export function failureOf(error: unknown): Failure {
  if (error instanceof Late) return { reason: 'late' };
  if (!(error instanceof Error)) return { reason: 'connection' };
  // When all servers fail, the cluster client wraps the last one's error.
  const { lastNodeError } = error as { readonly lastNodeError?: unknown };
  if (lastNodeError instanceof Error) return failureOf(lastNodeError);
  const known = reasons.find(([pattern]) => pattern.test(error.message));
  if (known) return { reason: known[1], denied: known[1] === 'no-permission' ? deniedBy(error.message) : undefined };
  if (error.name === 'ReplyError') return { reason: 'error' };
  const code = (error as NodeJS.ErrnoException).code ?? '';
  return { reason: /^[A-Z][A-Z_]{2,40}$/.test(code) ? code : 'connection' };
}

/** Placeholder for a denied command that the error does not name. */
export const aCommand = 'a command';

/** Returns what an ACL error (Redis 6 or later) denies: a command by name, never a user. */
export function deniedBy(message: string): string {
  const command = /\bto run the '([a-z]{1,30}(?:\|[a-z-]{1,30})?)' command\b/i.exec(message)?.[1];
  if (command !== undefined) return `the command ${command.toLowerCase()}`;
  if (/\bchannels?\b(?! has no)/.test(message)) return 'a channel';
  if (/\bkeys?\b(?! has no)/.test(message)) return 'a key';
  return aCommand;
}
