/**
 * Checks that the files Sendgate writes can be written, by writing beside them. Takes no lock.
 */
import type { Config } from '../config/schema.ts';
import { checkReadable, checkWritable } from '../upstream/oauth/token-file.ts';
import type { CheckResult } from './check-result.ts';

export function checkFiles({ constantContact, quota }: Config): readonly CheckResult[] {
  const { api, oauth } = constantContact;
  return [
    ...(api === 'v3' ? [checkFile('token file', oauth.tokenFile, 'CONSTANT_CONTACT_TOKEN_FILE')] : []),
    ...(quota.stateFile === '' ? [] : [checkFile('state file', quota.stateFile, 'quota.stateFile')]),
  ];
}

function checkFile(check: string, path: string, setting: string): CheckResult {
  try {
    checkReadable(path);
    checkWritable(path);
    return { kind: 'files', check, state: 'ok', found: `${path} can be written` };
  } catch (error) {
    const { code = 'unknown' } = error as NodeJS.ErrnoException;
    return {
      ...{ kind: 'files', check, state: 'failed', found: `${path} cannot be written (${code})` },
      remedy: `mend the owner, the mode or the mount of its folder, or correct ${setting}`,
    };
  }
}
