/**
 * The keys of `cache.encryptionKeyFile`, reloaded when the file changes.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { faultOfKeys, parseEncryptionKeys } from '../config/encryption-keys.ts';
import { describeFileFailure, fileName } from '../config/file-failure.ts';
import { type SealingKey, sealingKey } from './sealing.ts';

const pollMs = 1_000;

interface Told {
  /** At every reload while the file holds no valid keys; the previous ones stay in use. */
  readonly unreadable: (reason: string) => void;
  readonly readableAgain: () => void;
}

export class KeyRing {
  readonly #file: string;
  readonly #readFile: (path: string) => string;
  readonly #told: Told;
  #isUnreadable = false;
  #keys: readonly SealingKey[] = [];
  readonly #reread = () => this.reload();

  constructor(file: string, readFile: (path: string) => string, told: Told) {
    this.#file = file;
    this.#readFile = readFile;
    this.#told = told;
    this.reload();
    watchFile(file, { interval: pollMs, persistent: false }, this.#reread);
  }

  /** Current key first. */
  get keys(): readonly SealingKey[] {
    return this.#keys;
  }

  /** Secret for digests stored in Redis. While keys are rotated, instances may use two. */
  get digestKey(): Buffer | undefined {
    return this.#keys[0]?.value;
  }

  /** Whether the file cannot be used now: a restart would fail. */
  get isUnreadable(): boolean {
    return this.#isUnreadable;
  }

  /** Reloads the file. */
  reload(): void {
    const keys = this.#read();
    const wasUnreadable = this.#isUnreadable;
    this.#isUnreadable = typeof keys === 'string';
    if (typeof keys === 'string') this.#told.unreadable(keys);
    else {
      this.#keys = keys.map(sealingKey);
      if (wasUnreadable) this.#told.readableAgain();
    }
  }

  close(): void {
    unwatchFile(this.#file, this.#reread);
  }

  /** Returns the keys, or what is wrong with the file. */
  #read(): readonly Buffer[] | string {
    try {
      const text = this.#readFile(this.#file);
      return parseEncryptionKeys(text) ?? `${fileName(this.#file)} ${faultOfKeys(text)}`;
    } catch (error) {
      return describeFileFailure(this.#file, error);
    }
  }
}
