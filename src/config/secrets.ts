/**
 * The present secrets. Files are read again when they change.
 */
import { unwatchFile, watchFile } from 'node:fs';
import {
  parseSecret,
  redactedValues,
  type SecretName,
  type SecretSource,
  type SecretSources,
} from './secret-sources.ts';

/** Former values that stay redacted, beside the present ones. */
const maxFormer = 6;
const pollMs = 1_000;

/** Files are polled, since mounted secrets are swapped by renaming a link above them, which watchers miss. */
export class Secrets {
  readonly #readFile: (path: string) => string;
  readonly #onChange: (name: SecretName, outcome: 'replaced' | 'unreadable') => void;
  readonly #sources: Map<SecretName, SecretSource>;
  #former: readonly string[] = [];
  #values: readonly string[] = [];
  readonly #reread = () => this.reload();

  /** @param onChange called when a file has a new value, or none: then the previous value stays in use */
  constructor(
    sources: SecretSources,
    readFile: (path: string) => string,
    onChange: (name: SecretName, outcome: 'replaced' | 'unreadable') => void,
  ) {
    this.#readFile = readFile;
    this.#onChange = onChange;
    this.#sources = new Map(Object.entries(sources) as [SecretName, SecretSource][]);
    this.learn([]);
    for (const { file } of this.#sources.values()) {
      if (file !== undefined) watchFile(file, { interval: pollMs, persistent: false }, this.#reread);
    }
  }

  get(name: SecretName): string | undefined {
    return this.#sources.get(name)?.value;
  }

  /** All values to redact, former ones included. A new array whenever they change. */
  values(): readonly string[] {
    return this.#values;
  }

  /** Redacts more values: those that came at run time. */
  learn(values: readonly string[]): void {
    this.#former = [...values, ...this.#former].slice(0, maxFormer);
    const present = [...this.#sources].flatMap(([name, source]) => redactedValues(name, source));
    this.#values = [...new Set([...present, ...this.#former])].filter((value) => value !== '');
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
