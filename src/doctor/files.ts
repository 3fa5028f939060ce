/**
 * Checks that what Sendgate writes can be written, by writing beside it. Takes no lock.
 */
import type { Stats } from 'node:fs';
import { stat, statfs } from 'node:fs/promises';
import { dirname, join, resolve } from 'node:path';
import type { Loaded } from '../config/load.ts';
import { isHeld, tryLock, trySocket } from '../storage/socket-lock.ts';
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
      ? [judgeTrial('token file', tokenFile, tokenSetting, await tryFile(tokenFile, maxTokenBytes))]
      : []),
    ...(writesStateFile
      ? [judgeTrial('state file', stateFile, stateSetting, await tryFile(stateFile, blockBytes))]
      : []),
  ];
}

/** The directory of what survives a restart, beside the process that may hold its lock. */
export async function checkStorage(loaded: Loaded): Promise<readonly CheckResult[]> {
  const { config, where, secrets } = loaded;
  const keepsPages = !secrets.redisUrl;
  if (config.storage.directory === '') return keepsPages ? [withoutStorage] : [];
  const directory = resolve(config.storage.directory);
  const result = judgeTrial('storage', directory, where('storage.directory'), await tryDirectory(directory));
  if (result.state !== 'ok') return [result];
  const room = keepsPages ? await checkRoom(directory, loaded) : [];
  const stats = await statsOf(directory);
  return [result, ...room, ...(stats ? [...checkMode(directory, stats), ...(await checkUse(directory))] : [])];
}

const about = { kind: 'files', check: 'storage' } as const;

const withoutStorage: CheckResult = {
  ...{ ...about, state: 'note', found: 'none: a restart drops the pages' },
  remedy: 'set storage.directory (SENDGATE_STORAGE_DIRECTORY) to keep them',
};

/** Compares the whole file system: what is free of it changes with the pages. */
async function checkRoom(directory: string, { config, where }: Loaded): Promise<readonly CheckResult[]> {
  const { maxBytes } = config.storage;
  const { blocks, bsize } = await statfs(await nearestOf(directory));
  const bytes = blocks * bsize;
  if (bytes === 0 || bytes > maxBytes) return []; // Some file systems do not say.
  const found = `the file system of ${directory} has ${bytes} bytes, and pages may take ${maxBytes}`;
  return [{ ...about, state: 'warning', found, remedy: `lower ${where('storage.maxBytes')}, or enlarge it` }];
}

function checkMode(directory: string, stats: Stats): readonly CheckResult[] {
  const openMode = openModeOf(stats);
  if (openMode === undefined) return [];
  const remedy = 'name one for Sendgate alone, without permissions for others (chmod 700): it holds email addresses';
  return [{ ...about, state: 'warning', found: `${directory} is open to others (${openMode})`, remedy }];
}

async function checkUse(directory: string): Promise<readonly CheckResult[]> {
  if (!(await isHeld(directory))) return [];
  const remedy = 'right if Sendgate runs now; else find that process, beside which Sendgate runs without storage';
  return [{ ...about, state: 'note', found: `${directory} is in use by another process`, remedy }];
}

/** What can be done with a path, or what cannot and Node's code. */
type Trial = { readonly can: string } | { readonly cannot: string; readonly code: string };

export function judgeTrial(check: string, path: string, setting: string, trial: Trial): CheckResult {
  const about = { kind: 'files', check } as const;
  if ('can' in trial) return { ...about, state: 'ok', found: `${path} can be ${trial.can}` };
  const remedy = `${remedyOf(trial)}, or correct ${setting}`;
  return { ...about, state: 'failed', found: `${path} cannot be ${trial.cannot} (${trial.code})`, remedy };
}

function remedyOf({ cannot, code }: Exclude<Trial, { readonly can: string }>): string {
  if (code === 'ENOSPC' || code === 'EDQUOT') return 'free room on its disk';
  if (code === 'ENOTSOCK') return 'remove what is named lock in it, which is no lock of Sendgate';
  if (cannot === 'locked') return 'name one on a local disk, with Unix sockets and hard links';
  return 'mend the owner, the mode or the mount of its folder';
}

async function tryFile(path: string, bytes: number): Promise<Trial> {
  const read = await outcome('read', checkReadable(path));
  return 'cannot' in read ? read : outcome('written', checkWritable(path, bytes));
}

async function tryDirectory(directory: string): Promise<Trial> {
  const nearest = await nearestOf(directory);
  if (nearest !== directory) {
    const created = await outcome('created', checkWritable(join(nearest, 'sendgate'), blockBytes));
    const locked = 'cannot' in created ? created : await outcome('locked', trySocket(nearest));
    return 'cannot' in locked ? locked : created;
  }
  const stateFile = await tryFile(join(directory, 'state.json'), blockBytes);
  const pages = join(directory, 'pages');
  const lock = 'cannot' in stateFile ? stateFile : await outcome('locked', tryLock(directory));
  if ('cannot' in lock) return lock;
  // Of another owner, where Sendgate has run as another user.
  return (await statsOf(pages)) ? outcome('written', checkWritable(join(pages, 'sendgate'), blockBytes)) : stateFile;
}

/** The folder itself, or the first above it that is there. */
async function nearestOf(directory: string): Promise<string> {
  let nearest = directory;
  while (!(await statsOf(nearest))) nearest = dirname(nearest);
  return nearest;
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
