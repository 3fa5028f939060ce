/**
 * The identified caller of a request.
 */
import type { IncomingMessage } from 'node:http';
import type { Identity } from '../http/request-context.ts';
import type { Client } from './rate-limit/client-key.ts';

export interface Caller {
  /** Header fields of its request, as received. */
  readonly rawHeaders: readonly string[];
  readonly identity: Identity;
  readonly client: Client;
  /** Header lines of its responses. */
  readonly lines: string;
}

export function callerOf({ rawHeaders }: IncomingMessage, team: string, client: Client, lines = ''): Caller {
  return { rawHeaders, client, identity: { team, client: client.name }, lines };
}
