/**
 * Checks that the configured addresses can be listened on, by listening for a moment.
 */
import { createServer } from 'node:net';
import { explainBindFailure } from '../config/bind-failure.ts';
import type { Loaded } from '../config/load.ts';
import type { CheckResult } from './check-result.ts';

export async function checkPorts(loaded: Loaded): Promise<readonly CheckResult[]> {
  return [await checkPort('port', 'server', loaded), await checkPort('management port', 'management', loaded)];
}

async function checkPort(check: string, section: 'server' | 'management', loaded: Loaded): Promise<CheckResult> {
  const about = { kind: 'ports', check } as const;
  const { host, port } = loaded.config[section];
  const failure = await failureOfListening(host, port);
  if (!failure) return { ...about, state: 'ok', found: `${port} of ${host} is free` };
  if (failure.code === 'EADDRINUSE') {
    const remedy = `nothing if that is Sendgate; else set another ${loaded.where(`${section}.port`)}`;
    return { ...about, state: 'note', found: `${port} of ${host} is in use`, remedy };
  }
  const explained = explainBindFailure(failure, section, loaded);
  return { ...about, state: 'failed', found: explained instanceof Error ? explained.message : String(failure.code) };
}

function failureOfListening(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
