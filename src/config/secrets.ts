/**
 * The credentials: out of the environment or a mounted file, re-read when the file changes.
 */
import { unwatchFile, watchFile } from 'node:fs';

/** Secrets by name, with the variable that holds them; `…_FILE` beside it holds a path. */
export const secretNames = {
  apiKey: 'CONSTANT_CONTACT_API_KEY',
  accessToken: 'CONSTANT_CONTACT_ACCESS_TOKEN',
} as const;

type SecretName = keyof typeof secretNames;

interface Source {
  readonly value: string;
  /** Where the value came from, when it can change. */
  readonly file: string | undefined;
}

export interface SecretSources {
  readonly apiKey: Source;
  readonly accessToken: Source | undefined;
}

/** What can stand in a header and a URL. Shorter than this could not be kept out of a log without spoiling it. */
const secretPattern = /^[\x21-\x7e]{8,4096}$/;
const secretAllowed = '8 to 4,096 printable ASCII characters without spaces';

/** Reads the secrets; says in `mistakes` what is wrong with them, never what they are. */
export function secretSources(
  env: Readonly<Record<string, string | undefined>>,
  readFile: (path: string) => string,
  mistakes: string[],
): SecretSources | undefined {
  const read = (name: SecretName): Source | undefined => {
    const variable = secretNames[name];
    const text = env[variable] || undefined;
    const file = env[`${variable}_FILE`] || undefined;
    if (text !== undefined && file !== undefined) {
      mistakes.push(`${variable}: is given twice; allowed: either it or ${variable}_FILE`);
      return undefined;
    }
    if (text === undefined && file === undefined) return undefined;
    try {
      return { value: parseSecret(text ?? readFile(file ?? '')), file };
    } catch (error) {
      const why = error instanceof InvalidSecret ? 'is not valid' : 'the file cannot be read';
      mistakes.push(`${file === undefined ? variable : `${variable}_FILE`}: ${why}; allowed: ${secretAllowed}`);
      return undefined;
    }
  };
  const before = mistakes.length;
  const apiKey = read('apiKey');
  const accessToken = read('accessToken');
  if (!apiKey && mistakes.length === before) {
    mistakes.push(
      `${secretNames.apiKey}: is missing; allowed: the API key, here or in a file named by ${secretNames.apiKey}_FILE`,
    );
  }
  return apiKey && { apiKey, accessToken };
}

class InvalidSecret extends Error {}

function parseSecret(text: string): string {
  const value = text.trim();
  if (!secretPattern.test(value)) throw new InvalidSecret();
  return value;
}

/** Values that are kept out of the logs, replaced ones included. */
const maxValues = 20;
const pollMs = 1_000;

/** The present credentials. Files are polled, since mounted secrets are swapped by renaming a link above them. */
export class Secrets {
  readonly #readFile: (path: string) => string;
  readonly #onChange: (name: string, outcome: 'replaced' | 'unreadable') => void;
  readonly #sources: Map<SecretName, Source>;
  #values: readonly string[];
  readonly #reread = () => this.reload();

  /** @param onChange told when a file has a new value, and when it has none: the last good one then stays in use */
  constructor(
    sources: SecretSources,
    readFile: (path: string) => string,
    onChange: (name: string, outcome: 'replaced' | 'unreadable') => void,
  ) {
    this.#readFile = readFile;
    this.#onChange = onChange;
    this.#sources = new Map<SecretName, Source>([['apiKey', sources.apiKey]]);
    if (sources.accessToken) this.#sources.set('accessToken', sources.accessToken);
    this.#values = [...this.#sources.values()].map(({ value }) => value);
    for (const { file } of this.#sources.values()) {
      if (file !== undefined) watchFile(file, { interval: pollMs, persistent: false }, this.#reread);
    }
  }

  apiKey(): string {
    return this.#sources.get('apiKey')?.value ?? '';
  }

  accessToken(): string | undefined {
    return this.#sources.get('accessToken')?.value;
  }

  /** Everything that must not be seen, the values of before included. A new array when a value is replaced. */
  values(): readonly string[] {
    return this.#values;
  }

  /** Reads the files again. */
  reload(): void {
    for (const [name, { value, file }] of this.#sources) {
      if (file === undefined) continue;
      try {
        const present = parseSecret(this.#readFile(file));
        if (present === value) continue;
        this.#values = [present, ...this.#values].slice(0, maxValues);
        this.#sources.set(name, { value: present, file });
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
