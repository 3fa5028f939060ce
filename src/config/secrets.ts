/**
 * The current secrets. Rereads their files when they change.
 */
import { unwatchFile, watchFile } from 'node:fs';
import type { SecretName } from './secret-names.ts';
import { redactedSecrets, type SecretSource, type SecretSources } from './secret-sources.ts';
import { describeSecretFailure, parseSecret } from './secret-value.ts';

/** Replaced values that stay redacted. */
const maxFormer = 6;
const pollMs = 1_000;

/** A file has a new value, can be used again, or cannot be used, and why. */
export type SecretChange =
  | { readonly now: 'replaced' | 'readable' }
  | { readonly now: 'unreadable'; readonly reason: string };

/** Polls the files: watchers miss mounted secrets, which are swapped by renaming a symlink above them. */
export class Secrets {
  readonly #readFile: (path: string) => string;
  readonly #onChange: (name: SecretName, change: SecretChange) => void;
  readonly #sources: Map<SecretName, SecretSource>;
  readonly #fixed: readonly string[];
  readonly #unreadable = new Set<SecretName>();
  #former: readonly string[] = [];
  #values: readonly string[] = [];
  readonly #reread = () => this.reload();

  /**
   * @param onChange called when a file has a new value or is readable again, and at every reload while it is unreadable: then
   *   the previous value stays in use
   * @param fixed further values to redact, for as long as the process runs
   */
  constructor(
    sources: SecretSources,
    readFile: (path: string) => string,
    onChange: (name: SecretName, change: SecretChange) => void,
    fixed: readonly string[] = [],
  ) {
    this.#fixed = fixed;
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

  /** How many files cannot be used now: a restart would fail. */
  get unreadable(): number {
    return this.#unreadable.size;
  }

  /** All values to redact, replaced ones included. Returns a new array whenever they change. */
  values(): readonly string[] {
    return this.#values;
  }

  /** Redacts further values that appeared at run time. */
  learn(values: readonly string[]): void {
    this.#former = [...values, ...this.#former].slice(0, maxFormer);
    const present = redactedSecrets(Object.fromEntries(this.#sources));
    this.#values = [...new Set([...present, ...this.#fixed, ...this.#former])].filter((value) => value !== '');
  }

  /** Rereads all files. */
  reload(): void {
    for (const [name, { value, file }] of this.#sources) {
      if (file === undefined) continue;
      try {
        const present = parseSecret(name, this.#readFile(file));
        if (this.#unreadable.delete(name)) this.#onChange(name, { now: 'readable' });
        if (present === value) continue;
        this.#sources.set(name, { value: present, file });
        this.learn([value]);
        this.#onChange(name, { now: 'replaced' });
      } catch (error) {
        this.#unreadable.add(name);
        this.#onChange(name, { now: 'unreadable', reason: describeSecretFailure(file, error) });
      }
    }
  }

  close(): void {
    for (const { file } of this.#sources.values()) if (file !== undefined) unwatchFile(file, this.#reread);
  }
}
