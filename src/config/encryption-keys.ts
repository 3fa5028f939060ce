/**
 * The keys that encrypt pages in Redis: a file with one per line.
 */

export const encryptionKeysAllowed =
  'a file of 1 to 16 keys, one per line, each 32 bytes in base64 (`openssl rand -base64 32`)';

const line = /^[A-Za-z0-9+/]{43}=$/;
const maxKeys = 16;

/** Parses keys; the first one encrypts. Undefined if the text has no key or any invalid line. */
export function parseEncryptionKeys(text: string): readonly Buffer[] | undefined {
  if (faultOfKeys(text) !== undefined) return undefined;
  return linesOf(text).flatMap(({ key }) => (key === '' ? [] : [Buffer.from(key, 'base64')]));
}

/** Says what is wrong with the file; undefined if it is valid. */
export function faultOfKeys(text: string): string | undefined {
  const keys = linesOf(text).filter(({ key }) => key !== '');
  if (keys.length === 0) return 'has no key';
  if (keys.length > maxKeys) return `has ${keys.length} keys`;
  const bad = keys.find(({ key }) => !line.test(key));
  return bad && `has no key on line ${bad.number}`;
}

const linesOf = (text: string) => text.split('\n').map((one, index) => ({ key: one.trim(), number: index + 1 }));
