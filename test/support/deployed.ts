/**
 * Starts Sendgate as a deployment file does: with its environment and its mounted files, below a temporary folder.
 */
import { mkdirSync, mkdtempSync, readFileSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { systemClock } from '../../src/clock.ts';
import { startService } from '../../src/compose/service.ts';
import { type Loaded, loadConfig } from '../../src/config/load.ts';
import { secretNames } from '../../src/config/secret-names.ts';
import { settings } from '../../src/config/settings.ts';

export type Texts = Readonly<Record<string, string>>;

const known = new Set([
  ...settings().map(({ variable }) => variable),
  ...Object.values(secretNames).flatMap((name) => [name, `${name}_FILE`]),
  'SENDGATE_CONFIG',
]);
/** @throws for a variable that Sendgate does not read: at a start, that is a warning at most */
function refuseUnknown(env: Texts): void {
  const unknown = Object.keys(env).filter((name) => !known.has(name));
  if (unknown.length > 0) throw new Error(`not settings: ${unknown}`);
}

/** Content of the mounted secrets, by file name. The Redis is one that nobody reaches: Sendgate starts without it. */
export const secretFiles: Texts = {
  'api-key': 'an-api-key',
  'access-token': 'an-access-token',
  'client-id': 'a-client-id',
  'client-secret': 'a-client-secret',
  'redis-url': 'redis://127.0.0.1:9',
  'encryption-keys': Buffer.alloc(32).toString('base64'),
};

/** Loads the configuration from these variables and files. A file that is not among them cannot be read. */
export function loadDeployed(env: Texts, files: Texts = {}): Loaded {
  refuseUnknown(env);
  return loadConfig(env, (path) => {
    const text = files[path];
    if (text === undefined) throw new Error(`not mounted: ${path}`);
    return text;
  });
}

/**
 * Starts Sendgate on free ports, asks whether it is ready, and stops it.
 *
 * @returns lines of its log that tell of trouble: errors, and anything about storage
 */
export async function startDeployed(env: Texts, files: Texts = {}): Promise<string[]> {
  refuseUnknown(env);
  const root = mkdtempSync(join(tmpdir(), 'sendgate-deployed-'));
  for (const [path, text] of Object.entries(files)) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
  }
  const below = Object.entries(env).map(([name, value]) => [name, value.replace(/^(?=\/)/, root)]);
  const ports = { PORT: '0', SENDGATE_MANAGEMENT_PORT: '0' };
  const readFile = (path: string) => readFileSync(path, 'utf8');
  const lines: string[] = [];
  const write = (text: { toString(): string }) => void lines.push(...text.toString().trimEnd().split('\n'));
  const service = await startService(loadConfig({ ...Object.fromEntries(below), ...ports }, readFile), {
    ...{ clock: systemClock, readFile, version: 'test' },
    logDestination: { lostBytes: 0, write, pass: write, close: async () => true },
    refreshTokens: async () => ({ outcome: 'failed', reason: 'test' }),
  });
  const { status } = await fetch(`${service.managementUrl}/readyz`);
  await service.stop();
  const { mode } = statSync(join(root, env['SENDGATE_STORAGE_DIRECTORY'] ?? ''));
  if ((mode & 0o777) !== 0o700) throw new Error(`storage is open to others: ${mode.toString(8)}`);
  if (status !== 200) throw new Error(`not ready: ${status}`);
  return lines.filter((line) => /"level":"error"|"event":"storage[.]/.test(line));
}
