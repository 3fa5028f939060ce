/**
 * Reads secrets from environment variables or mounted files.
 */
import type { Mistakes } from './mistakes.ts';
import { type SecretName, secretNames } from './secret-names.ts';
import {
  allowedSecret,
  checkSecret,
  describeSecretFailure,
  InvalidSecret,
  parseSecret,
  redactedValues,
} from './secret-value.ts';

export interface SecretSource {
  /** Empty where a worker has not been able to read it yet. */
  readonly value: string;
  /** The file that holds the value; undefined for a variable, which cannot change. */
  readonly file: string | undefined;
}

/** The secrets that are set. */
export type SecretSources = Readonly<Partial<Record<SecretName, SecretSource>>>;

/** The secrets of each version of the API. */
const secretsOf = {
  v2: ['apiKey', 'accessToken', 'redisUrl'],
  v3: ['clientId', 'clientSecret', 'refreshToken', 'redisUrl'],
} as const satisfies Record<string, readonly SecretName[]>;

type Api = keyof typeof secretsOf;

const required = {
  v2: { name: 'apiKey', noun: 'the API key' },
  v3: { name: 'clientId', noun: 'the client id of the application' },
} as const satisfies Record<Api, { readonly name: SecretName; readonly noun: string }>;

type Environment = Readonly<Record<string, string | undefined>>;
type ReadFile = (path: string) => string;

/**
 * Reads the secrets, and says what is wrong with them, never what they are.
 *
 * @param api undefined while it is unknown: then none is required
 */
export function secretSources(
  api: Api | undefined,
  env: Environment,
  readFile: ReadFile,
  mistakes: Mistakes,
): SecretSources {
  const sources: Partial<Record<SecretName, SecretSource>> = {};
  for (const name of namesOf(api)) {
    const source = readSource(name, env, readFile);
    if (typeof source === 'string') mistakes.add(secretNames[name], source);
    else if (source) sources[name] = source;
  }
  if (api) requireOf(api, env, mistakes);
  return sources;
}

/** What a worker knows of the secrets, to redact them: a file that cannot be read yet has an empty value. */
export function readableSecrets(api: Api | undefined, env: Environment, readFile: ReadFile): SecretSources {
  const sources: Partial<Record<SecretName, SecretSource>> = {};
  for (const name of namesOf(api)) {
    const source = readSource(name, env, readFile);
    const file = env[`${secretNames[name]}_FILE`];
    if (source && typeof source !== 'string') sources[name] = source;
    else if (file) sources[name] = { value: '', file };
  }
  return sources;
}

/** Returns the texts to redact for all of them. */
export const redactedSecrets = (sources: SecretSources): readonly string[] =>
  Object.entries(sources).flatMap(([name, { value }]) => redactedValues(name as SecretName, value));

const namesOf = (api: Api | undefined) => (api ? secretsOf[api] : (Object.keys(secretNames) as SecretName[]));

function requireOf(api: Api, env: Environment, mistakes: Mistakes): void {
  const { name, noun } = required[api];
  const variable = secretNames[name];
  if (env[variable] || env[`${variable}_FILE`]) return;
  mistakes.add(variable, `${variable}: is missing; allowed: ${noun}, here or in a file named by ${variable}_FILE`);
}

/** Returns the secret, or a message that says what is wrong with it; undefined if it is not set. */
function readSource(name: SecretName, env: Environment, readFile: ReadFile): SecretSource | string | undefined {
  const variable = secretNames[name];
  const text = env[variable];
  const file = env[`${variable}_FILE`];
  if (text && file) return `${variable}: is set twice; allowed: this variable or ${variable}_FILE, not both`;
  if (text) return readVariable(name, text);
  return file ? readSecretFile(name, file, readFile) : undefined;
}

function readVariable(name: SecretName, value: string): SecretSource | string {
  try {
    checkSecret(name, value);
    return { value, file: undefined };
  } catch (error) {
    if (!(error instanceof InvalidSecret)) throw error;
    return `${secretNames[name]}: ${error.message}; allowed: ${allowedSecret(name)}`;
  }
}

function readSecretFile(name: SecretName, file: string, readFile: ReadFile): SecretSource | string {
  const variable = `${secretNames[name]}_FILE`;
  try {
    return { value: parseSecret(name, readFile(file)), file };
  } catch (error) {
    const allowed = error instanceof InvalidSecret ? allowedSecret(name) : 'the path of a readable file';
    return `${variable}: ${describeSecretFailure(file, error)}; allowed: ${allowed}`;
  }
}
