/**
 * The keys that encrypt pages in Redis: a file with one per line.
 */

export const encryptionKeysAllowed =
  'a file of 1 to 16 keys, one per line, each 32 bytes in base64 (`openssl rand -base64 32`)';

const line = /^[A-Za-z0-9+/]{43}=$/;
const maxKeys = 16;

/** Parses keys; the first one encrypts. Undefined if the text has no key or any invalid line. */
export function parseEncryptionKeys(text: string): readonly Buffer[] | undefined {
  const lines = text.split('\n').map((one) => one.trim());
  const keys = lines.filter((one) => one !== '');
  if (keys.length === 0 || keys.length > maxKeys || !keys.every((key) => line.test(key))) return undefined;
  return keys.map((key) => Buffer.from(key, 'base64'));
}
