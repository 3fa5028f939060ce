/**
 * The form of a secret, and what to redact of it.
 */
import { describeFileFailure, fileName } from './file-failure.ts';
import { parseRedisUrl, redisUrlAllowed } from './redis-url.ts';
import type { SecretName } from './secret-names.ts';
import { isQuoted, quoted } from './words.ts';

/** Redacting a shorter secret would garble the log. */
const minLength = 8;
/** Characters valid in headers and URLs. */
const secretPattern = /^[\x21-\x7e]{8,4096}$/;

/** What is allowed for a secret, in words. */
export const allowedSecret = (name: SecretName) =>
  name === 'redisUrl' ? redisUrlAllowed : '8 to 4,096 printable ASCII characters without spaces';

/** Its message says what is wrong. */
export class InvalidSecret extends Error {}

/**
 * Parses the content of a secret's file, which editors end with a line break.
 *
 * @throws InvalidSecret
 */
export function parseSecret(name: SecretName, text: string): string {
  const value = text.trim();
  checkSecret(name, value);
  return value;
}

/** What is wrong with a secret's file, which cannot be read or holds no secret. */
export const describeSecretFailure = (file: string, error: unknown) =>
  error instanceof InvalidSecret ? `${fileName(file)} ${error.message}` : describeFileFailure(file, error);

/** @throws InvalidSecret */
export function checkSecret(name: SecretName, value: string): void {
  const fault = faultOf(value);
  if (fault !== undefined) throw new InvalidSecret(fault);
  if (name === 'redisUrl' && !parseRedisUrl(value)) throw new InvalidSecret('is not valid');
}

function faultOf(value: string): string | undefined {
  if (secretPattern.test(value) && !isQuoted(value)) return undefined;
  if (value === '') return 'is empty';
  if (isQuoted(value)) return quoted;
  if (value !== value.trim()) return 'has blanks or line breaks around it';
  if (/\s/.test(value)) return 'has a blank or a line break in it';
  if (value.length < minLength) return 'is too short';
  return value.length > 4096 ? 'is too long' : 'has characters that are not printable ASCII';
}

/** Returns the texts to redact for a secret: its value and any password inside it. */
export function redactedValues(name: SecretName, value: string): readonly string[] {
  const password = name === 'redisUrl' ? parseRedisUrl(value)?.password : undefined;
  return password !== undefined && secretPattern.test(password) ? [value, password] : [value];
}
