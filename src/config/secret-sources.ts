/**
 * Reads secrets from environment variables or mounted files.
 */
import { parseRedisUrl, redisUrlAllowed } from './redis-url.ts';

/** The variable of each secret; `…_FILE` holds a path instead. */
export const secretNames = {
  apiKey: 'CONSTANT_CONTACT_API_KEY',
  accessToken: 'CONSTANT_CONTACT_ACCESS_TOKEN',
  clientId: 'CONSTANT_CONTACT_CLIENT_ID',
  clientSecret: 'CONSTANT_CONTACT_CLIENT_SECRET',
  refreshToken: 'CONSTANT_CONTACT_REFRESH_TOKEN',
  redisUrl: 'REDIS_URL',
} as const;

export type SecretName = keyof typeof secretNames;

export interface SecretSource {
  /** Empty where a worker has not been able to read it yet. */
  readonly value: string;
  /** The file that holds the value; undefined for a variable, which cannot change. */
  readonly file: string | undefined;
}

/** The secrets that are set. */
export type SecretSources = Readonly<Partial<Record<SecretName, SecretSource>>>;

/** The secrets of each version of the API, the required one first. */
const secretsOf = {
  v2: ['apiKey', 'accessToken', 'redisUrl'],
  v3: ['clientId', 'clientSecret', 'refreshToken', 'redisUrl'],
} as const satisfies Record<string, readonly SecretName[]>;

/** Characters valid in headers and URLs. Redacting a shorter secret would garble the log. */
const secretPattern = /^[\x21-\x7e]{8,4096}$/;
const secretAllowed = '8 to 4,096 printable ASCII characters without spaces';

const nouns: Readonly<Partial<Record<SecretName, string>>> = {
  apiKey: 'the API key',
  clientId: 'the client id of the application',
};

/**
 * Reads the secrets.
 *
 * @param mistakes says what is wrong with them, never what they are; without it, a file that cannot be read yet has an empty value
 */
export function secretSources(
  api: keyof typeof secretsOf,
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  mistakes: string[] | undefined,
): SecretSources {
  const sources: Partial<Record<SecretName, SecretSource>> = {};
  for (const name of secretsOf[api]) {
    const source = readSource(name, env, readFile);
    const variable = secretNames[name];
    if (source !== undefined && typeof source !== 'string') sources[name] = source;
    else if (mistakes === undefined) {
      const file = env[`${variable}_FILE`];
      if (file) sources[name] = { value: '', file };
    } else if (source !== undefined) mistakes.push(source);
    else if (name === secretsOf[api][0]) {
      mistakes.push(`${variable}: is missing; allowed: ${nouns[name]}, here or in a file named by ${variable}_FILE`);
    }
  }
  return sources;
}

/** Returns the secret, or a message that says what is wrong with it; undefined if it is not set. */
function readSource(
  name: SecretName,
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
): SecretSource | string | undefined {
  const variable = secretNames[name];
  const text = env[variable] || undefined;
  const file = env[`${variable}_FILE`] || undefined;
  if (text !== undefined && file !== undefined)
    return `${variable}: is set twice; allowed: this variable or ${variable}_FILE, not both`;
  if (text === undefined && file === undefined) return undefined;
  try {
    return { value: parseSecret(name, text ?? readFile(file ?? '')), file };
  } catch (error) {
    const why = error instanceof InvalidSecret ? 'is not valid' : 'the file cannot be read';
    const allowed = name === 'redisUrl' ? redisUrlAllowed : secretAllowed;
    return `${file === undefined ? variable : `${variable}_FILE`}: ${why}; allowed: ${allowed}`;
  }
}

class InvalidSecret extends Error {}

/** @throws InvalidSecret */
export function parseSecret(name: SecretName, text: string): string {
  const value = text.trim();
  if (!secretPattern.test(value) || (name === 'redisUrl' && !parseRedisUrl(value))) throw new InvalidSecret();
  return value;
}

/** Returns the texts to redact for a secret: its value and any password inside it. */
export function redactedValues(name: SecretName, { value }: SecretSource): readonly string[] {
  const password = name === 'redisUrl' ? parseRedisUrl(value)?.password : undefined;
  return password !== undefined && secretPattern.test(password) ? [value, password] : [value];
}
