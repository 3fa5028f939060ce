/**
 * Checks that what Sendgate writes can be written, by writing beside it. Takes no lock.
 */
import { stat } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Loaded } from '../config/load.ts';
import { checkReadable, checkWritable, openModeOf } from '../storage/trial.ts';
import { maxTokenBytes } from '../upstream/oauth/token-file.ts';
import type { CheckResult } from './check-result.ts';

/** A block of most disks: there is none on a full one. */
const blockBytes = 4_096;

/** The files that are written one by one. */
export async function checkFiles(loaded: Loaded): Promise<readonly CheckResult[]> {
  const { constantContact, quota, storage } = loaded.config;
  const { tokenFile } = constantContact.oauth;
  const { stateFile } = quota;
  const tokenSetting = loaded.where('constantContact.oauth.tokenFile');
  const stateSetting = loaded.where('quota.stateFile');
  // With a directory, the state file is read at the first start and never written.
  const writesStateFile = stateFile !== '' && storage.directory === '';
  return [
    ...(constantContact.api === 'v3'
      ? [judge('token file', tokenFile, tokenSetting, await tryFile(tokenFile, maxTokenBytes))]
      : []),
    ...(writesStateFile ? [judge('state file', stateFile, stateSetting, await tryFile(stateFile, blockBytes))] : []),
  ];
}

/** The directory of what survives a restart, beside the process that may hold its lock. */
export async function checkStorage({ config: { storage }, where }: Loaded): Promise<readonly CheckResult[]> {
  if (storage.directory === '') return [];
  const directory = resolve(storage.directory);
  const result = judge('storage', directory, where('storage.directory'), await tryDirectory(directory));
  const stats = result.state === 'ok' ? await statsOf(directory) : undefined;
  const openMode = stats && openModeOf(stats);
  if (openMode === undefined) return [result];
  const remedy = 'name one for Sendgate alone, without permissions for others (chmod 700): it holds email addresses';
  return [{ ...result, state: 'warning', found: `${directory} is open to others (${openMode})`, remedy }];
}

/** What can be done with a path, or what cannot and Node's code. */
type Trial = { readonly can: string } | { readonly cannot: string; readonly code: string };

function judge(check: string, path: string, setting: string, trial: Trial): CheckResult {
  const about = { kind: 'files', check } as const;
  if ('can' in trial) return { ...about, state: 'ok', found: `${path} can be ${trial.can}` };
  const remedy = `mend the owner, the mode or the mount of its folder, or correct ${setting}`;
  return { ...about, state: 'failed', found: `${path} cannot be ${trial.cannot} (${trial.code})`, remedy };
}

async function tryFile(path: string, bytes: number): Promise<Trial> {
  const read = await outcome('read', checkReadable(path));
  return 'cannot' in read ? read : outcome('written', checkWritable(path, bytes));
}

async function tryDirectory(directory: string): Promise<Trial> {
  let nearest = directory;
  while (!(await statsOf(nearest))) nearest = dirname(nearest);
  if (nearest !== directory) return outcome('created', checkWritable(join(nearest, 'sendgate'), blockBytes));
  const stateFile = await tryFile(join(directory, 'state.json'), blockBytes);
  const pages = join(directory, 'pages');
  if ('cannot' in stateFile || !(await statsOf(pages))) return stateFile;
  // Of another owner, where Sendgate has run as another user.
  return outcome('written', checkWritable(join(pages, 'sendgate'), blockBytes));
}

async function outcome(done: string, trying: Promise<void>): Promise<Trial> {
  try {
    await trying;
    return { can: done };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return { cannot: done, code };
  }
}

/** Undefined for what is not there, or is out of reach. */
const statsOf = (path: string) => stat(path).catch(() => undefined);
