/**
 * A Sendgate whose configuration file is edited while it runs.
 */
import { createHash } from 'node:crypto';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import type { TestClock } from './clock.ts';
import { api, type Environment, type Harness, startInstance, startSandbox, targetOf } from './harness.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-edited-'));
let files = 0;

export type Settings = Readonly<Record<string, unknown>>;

/** Returns the path of a new configuration file. */
export function configFile(settings: Settings): string {
  const file = join(folder, `${files++}.json`);
  edit(file, settings);
  return file;
}

export const edit = (file: string, settings: Settings) => writeFileSync(file, JSON.stringify(settings));

/** A team that is recognised by a token, which is made of its name. */
export const team = (name: string, more: Settings = {}) => ({
  name,
  tokensSha256: [createHash('sha256').update(`token-of-${name}`).digest('hex')],
  ...more,
});
export const as = (name: string) => ({ authorization: `Bearer token-of-${name}` });

export interface Answer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
}

/** Asks with any header: fetch sets Host and Origin itself. */
export function ask(base: string, target: string, headers: Readonly<Record<string, string>> = {}): Promise<Answer> {
  return new Promise((resolve, reject) => {
    request(new URL(targetOf(target), base), { headers }, (res) => {
      res.resume().on('end', () => resolve({ status: res.statusCode ?? 0, headers: res.headers as Answer['headers'] }));
    })
      .on('error', reject)
      .end();
  });
}

export interface Edited extends Harness {
  readonly file: string;
  /** Asks for a page of sends, by default one that is the same each time. */
  ask(headers?: Readonly<Record<string, string>>, target?: string): Promise<Answer>;
  /** Edits the file and reloads it, as SIGHUP does. */
  reload(settings: Settings): void;
  eventsOf(event: string): readonly Readonly<Record<string, unknown>>[];
  /** Each team's day. */
  teams(): Readonly<Record<string, { readonly calls: number; readonly part: number; readonly available: number }>>;
  /** Calls that are queued. */
  waiting(): number;
}

/** Starts one with three campaigns. */
export async function startEdited(settings: Settings, clock: TestClock, env: Environment = {}): Promise<Edited> {
  const sandbox = await startSandbox({ clock });
  for (const id of ['1', '2', '3']) sandbox.campaign({ id, size: 3, newestMs: clock.now() - 1_000 });
  const edited = await startEditedInstance(sandbox, settings, clock, env);
  return {
    ...edited,
    close: async () => {
      await edited.close();
      await sandbox.stop();
    },
  };
}

export async function startEditedInstance(
  sandbox: Sandbox,
  settings: Settings,
  clock: TestClock,
  env: Environment = {},
): Promise<Edited> {
  const file = configFile(settings);
  // The environment overrides the file: these limits are the file's.
  const asInFile = { SENDGATE_QUOTA_PER_SECOND: '', SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '' };
  const it = await startInstance(sandbox, clock, { SENDGATE_CONFIG: file, ...asInFile, ...env }, api);
  const { service, lines } = it;
  return {
    ...{ ...it, file },
    ask: (headers, target = '/campaigns/1/sends') => ask(it.url, target, headers),
    reload: (changed) => {
      edit(file, changed);
      service.reload();
    },
    eventsOf: (event) =>
      lines.filter((line) => line.includes(`"event":"${event}"`)).map((line): Settings => JSON.parse(line)),
    teams: () => Object.fromEntries(service.status().teams.map(({ team, ...day }) => [team, day])),
    waiting: () => service.status().queues.reduce((sum, { waiting }) => sum + waiting, 0),
  };
}
