/**
 * The credentials: out of the environment or a mounted file, re-read when the file changes.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { parseRedisUrl, redisUrlAllowed } from './redis-url.ts';

/** Secrets by name, with the variable that holds them; `…_FILE` beside it holds a path. */
export const secretNames = {
  apiKey: 'CONSTANT_CONTACT_API_KEY',
  accessToken: 'CONSTANT_CONTACT_ACCESS_TOKEN',
  clientId: 'CONSTANT_CONTACT_CLIENT_ID',
  clientSecret: 'CONSTANT_CONTACT_CLIENT_SECRET',
  refreshToken: 'CONSTANT_CONTACT_REFRESH_TOKEN',
  redisUrl: 'REDIS_URL',
} as const;

export type SecretName = keyof typeof secretNames;

interface Source {
  readonly value: string;
  /** Where the value came from, when it can change. */
  readonly file: string | undefined;
}

/** Those that are set. */
export type SecretSources = Readonly<Partial<Record<SecretName, Source>>>;

/** What is taken with each version of the API, the one that it cannot do without first. */
const taken = {
  v2: ['apiKey', 'accessToken', 'redisUrl'],
  v3: ['clientId', 'clientSecret', 'refreshToken', 'redisUrl'],
} as const satisfies Record<string, readonly SecretName[]>;

/** What can stand in a header and a URL. Shorter than this could not be kept out of a log without spoiling it. */
const secretPattern = /^[\x21-\x7e]{8,4096}$/;
const secretAllowed = '8 to 4,096 printable ASCII characters without spaces';

/** Reads the secrets; says in `mistakes` what is wrong with them, never what they are. */
export function secretSources(
  api: keyof typeof taken,
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  mistakes: string[],
): SecretSources {
  const read = (name: SecretName): Source | undefined => {
    const variable = secretNames[name];
    const text = env[variable] || undefined;
    const file = env[`${variable}_FILE`] || undefined;
    if (text !== undefined && file !== undefined) {
      mistakes.push(`${variable}: is given twice; allowed: either it or ${variable}_FILE`);
      return undefined;
    }
    if (text === undefined && file === undefined) {
      if (name === taken[api][0]) {
        mistakes.push(`${variable}: is missing; allowed: ${nouns[name]}, here or in a file named by ${variable}_FILE`);
      }
      return undefined;
    }
    try {
      return { value: parseSecret(name, text ?? readFile(file ?? '')), file };
    } catch (error) {
      const why = error instanceof InvalidSecret ? 'is not valid' : 'the file cannot be read';
      const allowed = name === 'redisUrl' ? redisUrlAllowed : secretAllowed;
      mistakes.push(`${file === undefined ? variable : `${variable}_FILE`}: ${why}; allowed: ${allowed}`);
      return undefined;
    }
  };
  const found = taken[api].map((name) => [name, read(name)] as const);
  return Object.fromEntries(found.filter(([, source]) => source !== undefined));
}

const nouns: Readonly<Partial<Record<SecretName, string>>> = {
  apiKey: 'the API key',
  clientId: 'the client id of the application',
};

class InvalidSecret extends Error {}

function parseSecret(name: SecretName, text: string): string {
  const value = text.trim();
  if (!secretPattern.test(value) || (name === 'redisUrl' && !parseRedisUrl(value))) throw new InvalidSecret();
  return value;
}

/** A secret, and what it holds that must not be seen by itself either. */
function hidden([name, { value }]: readonly [SecretName, Source]): readonly string[] {
  const password = name === 'redisUrl' ? parseRedisUrl(value)?.password : undefined;
  return password !== undefined && secretPattern.test(password) ? [value, password] : [value];
}

/** Values of before that are kept out of the logs, beside the present ones. */
const maxFormer = 6;
const pollMs = 1_000;

/** The present credentials. Files are polled, since mounted secrets are swapped by renaming a link above them. */
export class Secrets {
  readonly #readFile: (path: string) => string;
  readonly #onChange: (name: SecretName, outcome: 'replaced' | 'unreadable') => void;
  readonly #sources: Map<SecretName, Source>;
  #former: readonly string[] = [];
  #values: readonly string[] = [];
  readonly #reread = () => this.reload();

  /** @param onChange told when a file has a new value, and when it has none: the last good one then stays in use */
  constructor(
    sources: SecretSources,
    readFile: (path: string) => string,
    onChange: (name: SecretName, outcome: 'replaced' | 'unreadable') => void,
  ) {
    this.#readFile = readFile;
    this.#onChange = onChange;
    this.#sources = new Map(Object.entries(sources) as [SecretName, Source][]);
    this.learn([]);
    for (const { file } of this.#sources.values()) {
      if (file !== undefined) watchFile(file, { interval: pollMs, persistent: false }, this.#reread);
    }
  }

  get(name: SecretName): string | undefined {
    return this.#sources.get(name)?.value;
  }

  /** Everything that must not be seen, the values of before included. A new array when there is a new value. */
  values(): readonly string[] {
    return this.#values;
  }

  /** Has more values kept out of the logs: those that came at run time. */
  learn(values: readonly string[]): void {
    this.#former = [...values, ...this.#former].slice(0, maxFormer);
    const present = [...this.#sources].flatMap(hidden);
    this.#values = [...new Set([...present, ...this.#former])];
  }

  /** Reads the files again. */
  reload(): void {
    for (const [name, { value, file }] of this.#sources) {
      if (file === undefined) continue;
      try {
        const present = parseSecret(name, this.#readFile(file));
        if (present === value) continue;
        this.#sources.set(name, { value: present, file });
        this.learn([value]);
        this.#onChange(name, 'replaced');
      } catch {
        this.#onChange(name, 'unreadable');
      }
    }
  }

  close(): void {
    for (const { file } of this.#sources.values()) if (file !== undefined) unwatchFile(file, this.#reread);
  }
}
