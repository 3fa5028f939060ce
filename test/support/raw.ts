/**
 * A raw connection, for requests that no HTTP library would send.
 */
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

export interface Raw {
  readonly socket: Socket;
  /** Everything received so far, one character per byte. */
  text(): string;
  /** Resolves with everything received once either side has closed the connection. */
  closed: Promise<string>;
}

/** @param localAddress to come from, out of 127.0.0.0/8 */
export async function dial(url: string, localAddress = '127.0.0.1'): Promise<Raw> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  let text = '';
  socket.on('data', (data) => {
    text += data.toString('latin1');
  });
  socket.on('error', () => {});
  const closed = new Promise<string>((resolve) => socket.once('close', () => resolve(text)));
  await once(socket, 'connect');
  return { socket, text: () => text, closed };
}

/** A connection that reads nothing at all. */
export async function dialDeaf(url: string, localAddress = '127.0.0.1'): Promise<Socket> {
  const { hostname, port } = new URL(url);
  const socket = connect({ host: hostname, port: Number(port), localAddress });
  socket.on('error', () => {});
  await once(socket, 'connect');
  return socket;
}

/** A request as it goes over the wire. */
export function wire(target: string, fields: readonly string[] = [], method = 'GET'): string {
  return [`${method} ${target} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join('\r\n');
}

/** Whole answers in what has come back: their status lines. */
export const statusesIn = (text: string): number[] =>
  [...text.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status));
