/**
 * The keys of `cache.encryptionKeyFile`, read again when the file changes.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { parseEncryptionKeys } from '../config/encryption-keys.ts';
import { type SealingKey, sealingKey } from './sealing.ts';

const pollMs = 1_000;

export class KeyRing {
  readonly #file: string;
  readonly #readFile: (path: string) => string;
  readonly #onUnreadable: () => void;
  #keys: readonly SealingKey[] = [];
  readonly #reread = () => this.reload();

  /** @param onUnreadable called when the file holds no keys any more: the previous ones stay in use */
  constructor(file: string, readFile: (path: string) => string, onUnreadable: () => void) {
    this.#file = file;
    this.#readFile = readFile;
    this.#onUnreadable = onUnreadable;
    this.reload();
    watchFile(file, { interval: pollMs, persistent: false }, this.#reread);
  }

  /** The one in use first. */
  get keys(): readonly SealingKey[] {
    return this.#keys;
  }

  /** The secret of the digests that are left with Redis. While keys are replaced, instances may have two of them. */
  get digestKey(): Buffer | undefined {
    return this.#keys[0]?.value;
  }

  /** Reads the file again. */
  reload(): void {
    const keys = this.#read();
    if (keys) this.#keys = keys.map(sealingKey);
    else this.#onUnreadable();
  }

  close(): void {
    unwatchFile(this.#file, this.#reread);
  }

  #read(): readonly Buffer[] | undefined {
    try {
      return parseEncryptionKeys(this.#readFile(this.#file));
    } catch {
      return undefined;
    }
  }
}
