/**
 * Who makes a request.
 */
import type { IncomingMessage } from 'node:http';
import type { Identity } from '../http/request-context.ts';
import type { Client } from './rate-limit/client-key.ts';

export interface Caller {
  /** The header fields of its request, as they came. */
  readonly rawHeaders: readonly string[];
  readonly identity: Identity;
  readonly client: Client;
  /** Lines that the header of its response has to carry. */
  readonly lines: string;
}

export function callerOf({ rawHeaders }: IncomingMessage, team: string, client: Client, lines = ''): Caller {
  return { rawHeaders, client, identity: { team, client: client.name }, lines };
}
