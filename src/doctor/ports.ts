/**
 * Checks that the configured addresses can be listened on, by listening for a moment.
 */
import { createServer } from 'node:net';
import { BindFailure, explainBindFailure } from '../config/bind-failure.ts';
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
    const remedy = `right if Sendgate runs now; else set another ${loaded.where(`${section}.port`)}`;
    return { ...about, state: 'note', found: `${port} of ${host} is in use`, remedy };
  }
  const names = { host: loaded.where(`${section}.host`), port: loaded.where(`${section}.port`) };
  const explained = explainBindFailure(failure, { host, port }, names);
  const found = explained instanceof BindFailure ? explained.message : `${port} of ${host} (${failure.code})`;
  return { ...about, state: 'failed', found };
}

function failureOfListening(host: string, port: number): Promise<NodeJS.ErrnoException | undefined> {
  return new Promise((resolve) => {
    const server = createServer();
    server.once('error', resolve);
    server.listen(port, host, () => server.close(() => resolve(undefined)));
  });
}
