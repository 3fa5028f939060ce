/**
 * Reads tokens from this instance's file, and keeps the file and the shared tokens at the later of the two.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { borrowTokens } from './persist.ts';
import type { SharedTokens } from './shared-tokens.ts';
import { isFrom, type StoredTokens } from './stored-tokens.ts';
import { readTokens } from './token-file.ts';

interface Parts {
  readonly tokenFile: string;
  readonly clientId: () => string;
  /** The configured refresh token; undefined if a person has authorized. */
  readonly configured: () => string | undefined;
  /** Undefined for a single instance. */
  readonly shared: SharedTokens | undefined;
  /** Longest wait for the file's lock, in milliseconds. */
  readonly lockMs: number;
}

/** Interval at which the file is checked. */
const watchEveryMs = 1_000;

export class TokenStore {
  readonly #parts: Parts;
  #onBorrowed = () => {};

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Returns the file's tokens; undefined if none belong to this application and its configured refresh token. */
  read(): StoredTokens | undefined {
    const { tokenFile, clientId } = this.#parts;
    const stored = readTokens(tokenFile, clientId());
    return stored && this.#isOurs(stored) ? stored : undefined;
  }

  /** Calls `changed` when the tokens may have changed. Returns a function that stops watching. */
  watch(changed: () => void): () => void {
    const { tokenFile } = this.#parts;
    const onChange = () => {
      changed();
      void this.reconcile();
    };
    watchFile(tokenFile, { interval: watchEveryMs, persistent: false }, onChange);
    return () => unwatchFile(tokenFile, onChange);
  }

  /**
   * Starts sharing, if there are several instances. @param onBorrowed called when the file received another instance's tokens
   */
  share(onBorrowed: () => void): void {
    this.#onBorrowed = onBorrowed;
    this.#parts.shared?.listen(() => void this.reconcile());
  }

  async reconcile(): Promise<void> {
    const { tokenFile, shared, lockMs } = this.#parts;
    const borrow = async (theirs: StoredTokens) => this.#isOurs(theirs) && borrowTokens(tokenFile, theirs, lockMs);
    if (await shared?.reconcile(this.read(), borrow)) this.#onBorrowed();
  }

  #isOurs(stored: StoredTokens): boolean {
    const { clientId, configured } = this.#parts;
    return stored.clientId === clientId() && isFrom(configured(), stored);
  }
}
