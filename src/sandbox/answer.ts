/**
 * Reads the sandbox's requests and sends its responses.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { gzipSync } from 'node:zlib';

export interface SandboxAnswer {
  readonly status: number;
  readonly body: string;
  /** Content type. Default JSON. */
  readonly type?: string;
  readonly headers?: Readonly<Record<string, string>>;
}

export async function textOf(req: IncomingMessage): Promise<string> {
  let text = '';
  for await (const part of req) text += part;
  return text;
}

/** Sends a response; compressed if the caller accepts gzip, as Constant Contact does. */
export function sendAnswer(req: IncomingMessage, res: ServerResponse, answer: SandboxAnswer): void {
  const { status, body, type = 'application/json', headers } = answer;
  const zipped = /\bgzip\b/.test(String(req.headers['accept-encoding'] ?? '')) && body.length > 1024;
  res.writeHead(status, { 'Content-Type': type, ...headers, ...(zipped ? { 'Content-Encoding': 'gzip' } : {}) });
  res.end(zipped ? gzipSync(body, { level: 1 }) : body);
}
