/**
 * Remembers the last caller of each connection, so that a client is identified again only when its header fields change in any
 * byte.
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

  /** Remembers a caller, unless it has a token, which must not be kept. */
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
