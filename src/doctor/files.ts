/**
 * Checks that what Sendgate writes can be written, by writing beside it. Takes no lock.
 */
import { existsSync, statSync } from 'node:fs';
import { dirname, join, resolve } from 'node:path';
import type { Loaded } from '../config/load.ts';
import { checkReadable, checkWritable } from '../upstream/oauth/token-file.ts';
import type { CheckResult } from './check-result.ts';

/** The files that are written one by one. */
export function checkFiles({ config: { constantContact, quota, storage }, where }: Loaded): readonly CheckResult[] {
  const { api, oauth } = constantContact;
  const { stateFile } = quota;
  // With a directory, the file is read at the first start and never written.
  const writesStateFile = stateFile !== '' && storage.directory === '';
  return [
    ...(api === 'v3' ? [checkFile('token file', oauth.tokenFile, where('constantContact.oauth.tokenFile'))] : []),
    ...(writesStateFile ? [checkFile('state file', stateFile, where('quota.stateFile'))] : []),
  ];
}

function checkFile(check: string, path: string, setting: string): CheckResult {
  return judgeWriting(check, path, setting, () => {
    checkReadable(path);
    checkWritable(path);
    return `${path} can be written`;
  });
}

/** The directory of what survives a restart, beside the process that may hold its lock. */
export function checkStorage({ config: { storage }, where }: Loaded): readonly CheckResult[] {
  if (storage.directory === '') return [];
  const directory = resolve(storage.directory);
  const result = judgeWriting('storage', directory, where('storage.directory'), () => tryDirectory(directory));
  const mode = result.state === 'ok' && existsSync(directory) ? statSync(directory).mode & 0o777 : 0;
  if ((mode & 0o077) === 0) return [result];
  const remedy = 'take their permissions away (chmod 700): it holds email addresses';
  return [{ ...result, state: 'warning', found: `${directory} is open to others (${mode.toString(8)})`, remedy }];
}

/** @throws if a start could not create the directory, or not write in it */
function tryDirectory(directory: string): string {
  let nearest = directory;
  while (!existsSync(nearest)) nearest = dirname(nearest);
  if (nearest !== directory) {
    checkWritable(join(nearest, 'sendgate'));
    return `${directory} can be created`;
  }
  const stateFile = join(directory, 'state.json');
  checkReadable(stateFile);
  checkWritable(stateFile);
  const pages = join(directory, 'pages');
  // Of another owner, where Sendgate has run as another user.
  if (existsSync(pages)) checkWritable(join(pages, 'sendgate'));
  return `${directory} can be written`;
}

/** @param write tries it, and says what is well */
function judgeWriting(check: string, path: string, setting: string, write: () => string): CheckResult {
  const about = { kind: 'files', check } as const;
  try {
    return { ...about, state: 'ok', found: write() };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const remedy = `mend the owner, the mode or the mount of its folder, or correct ${setting}`;
    return { ...about, state: 'failed', found: `${path} cannot be written (${code})`, remedy };
  }
}
