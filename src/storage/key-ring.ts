/**
 * The keys of `cache.encryptionKeyFile`, reloaded when the file changes.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { faultOfKeys, parseEncryptionKeys } from '../config/encryption-keys.ts';
import { describeFileFailure, fileName } from '../config/file-failure.ts';
import { type SealingKey, sealingKey } from './sealing.ts';

const pollMs = 1_000;

export class KeyRing {
  readonly #file: string;
  readonly #readFile: (path: string) => string;
  readonly #onUnreadable: (reason: string) => void;
  #keys: readonly SealingKey[] = [];
  readonly #reread = () => this.reload();

  /** @param onUnreadable called if the changed file holds no valid keys; the previous ones stay in use */
  constructor(file: string, readFile: (path: string) => string, onUnreadable: (reason: string) => void) {
    this.#file = file;
    this.#readFile = readFile;
    this.#onUnreadable = onUnreadable;
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

  /** Reloads the file. */
  reload(): void {
    const keys = this.#read();
    if (typeof keys === 'string') this.#onUnreadable(keys);
    else this.#keys = keys.map(sealingKey);
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
