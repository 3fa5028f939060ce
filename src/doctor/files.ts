/**
 * Checks that the files Sendgate writes can be written, by writing beside them. Takes no lock.
 */
import type { Loaded } from '../config/load.ts';
import { checkReadable, checkWritable } from '../upstream/oauth/token-file.ts';
import type { CheckResult } from './check-result.ts';

export function checkFiles({ config: { constantContact, quota }, where }: Loaded): readonly CheckResult[] {
  const { api, oauth } = constantContact;
  const { stateFile } = quota;
  return [
    ...(api === 'v3' ? [checkFile('token file', oauth.tokenFile, where('constantContact.oauth.tokenFile'))] : []),
    ...(stateFile === '' ? [] : [checkFile('state file', stateFile, where('quota.stateFile'))]),
  ];
}

function checkFile(check: string, path: string, setting: string): CheckResult {
  const about = { kind: 'files', check } as const;
  try {
    checkReadable(path);
    checkWritable(path);
    return { ...about, state: 'ok', found: `${path} can be written` };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    const remedy = `mend the owner, the mode or the mount of its folder, or correct ${setting}`;
    return { ...about, state: 'failed', found: `${path} cannot be written (${code})`, remedy };
  }
}
