/**
 * The last caller of each connection: a client sends the same header fields again and again, and while they are the same to
 * the letter, it is not identified again.
 */
import type { IncomingMessage } from 'node:http';
import type { Socket } from 'node:net';
import type { Caller } from './caller.ts';

export class RememberedCallers {
  readonly #last = new WeakMap<Socket, Caller>();

  of(req: IncomingMessage): Caller | undefined {
    const last = this.#last.get(req.socket);
    return last && isEqual(last.rawHeaders, req.rawHeaders) ? last : undefined;
  }

  /** A caller with a token is not remembered: the token would be kept. */
  remember(req: IncomingMessage, caller: Caller): void {
    if (req.headers.authorization === undefined) this.#last.set(req.socket, caller);
  }
}

function isEqual(some: readonly string[], others: readonly string[]): boolean {
  if (some.length !== others.length) return false;
  for (let n = 0; n < some.length; n++) {
    if (some[n] !== others[n]) return false;
  }
  return true;
}
