/**
 * Checks that the configured addresses can be listened on.
 */
import { createServer } from 'node:net';
import type { Config } from '../config/schema.ts';
import type { CheckResult } from './check-result.ts';

export async function checkPorts({ server, management }: Config): Promise<readonly CheckResult[]> {
  return [await checkPort('port', server, 'server'), await checkPort('management port', management, 'management')];
}

async function checkPort(
  check: string,
  { host, port }: { readonly host: string; readonly port: number },
  section: string,
): Promise<CheckResult> {
  const about = { kind: 'ports', check } as const;
  const where = `${host}:${port}`;
  const code = await failureOfListening(host, port);
  if (code === undefined) return { ...about, state: 'ok', found: `${where} is free` };
  if (code === 'EADDRINUSE') {
    const remedy = `nothing if that is Sendgate; else set another ${section}.port`;
    return { ...about, state: 'note', found: `${where} is in use`, remedy };
  }
  const remedy = `correct ${section}.host and ${section}.port`;
  return { ...about, state: 'failed', found: `${where} cannot be listened on (${code})`, remedy };
}

/** Listens for a moment. Returns Node's error code if that fails. */
function failureOfListening(host: string, port: number): Promise<string | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', ({ code }: NodeJS.ErrnoException) => resolve(code ?? 'unknown'));
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
