/**
 * Why a file cannot be read, in words.
 */
import { isQuoted, quoted } from './words.ts';

const reasons: Readonly<Record<string, string>> = {
  ENOENT: 'does not exist',
  EACCES: 'may not be read by this user',
  EPERM: 'may not be read by this user',
  EISDIR: 'is a directory',
  ENOTDIR: 'is below something that is not a directory',
  ELOOP: 'is a circle of symbolic links',
  ENAMETOOLONG: 'has a name that is too long',
  ENXIO: 'is neither a file nor a pipe',
  EFBIG: 'is larger than 1 MiB',
  EILSEQ: 'is not UTF-8',
  ETIMEDOUT: 'is a pipe that was not written to its end within 10 s',
};

/** "the file /run/secrets/api-key does not exist (ENOENT)" */
export function describeFileFailure(path: string, error: unknown): string {
  if (isQuoted(path)) return quoted;
  if (path !== path.trim()) return 'has blanks around it';
  const { code = 'unknown error' } = error as NodeJS.ErrnoException;
  return `${fileName(path)} ${reasons[code] ?? 'cannot be read'} (${code})`;
}

/** Names a file. A text that does not look like a path is not repeated: it may be a secret in the wrong variable. */
export const fileName = (path: string) =>
  /^\.{0,2}\/|\.(json|txt)$/.test(path) ? `the file ${path}` : 'the file that it names';
