/**
 * Where tokens are: the file of this instance, and what all instances share. Brings both to the later of the two.
 */
import { unwatchFile, watchFile } from 'node:fs';
import { borrowTokens } from './persist.ts';
import type { SharedTokens } from './shared-tokens.ts';
import { isFrom, type StoredTokens } from './stored-tokens.ts';
import { readTokens } from './token-file.ts';

interface Parts {
  readonly tokenFile: string;
  readonly clientId: () => string;
  /** The configured refresh token; undefined where a person has authorized. */
  readonly configured: () => string | undefined;
  /** Undefined where this is the only instance. */
  readonly shared: SharedTokens | undefined;
  /** The longest wait for the file's lock, in milliseconds. */
  readonly lockMs: number;
}

/** How often the file is looked at. */
const watchEveryMs = 1_000;

export class TokenStore {
  readonly #parts: Parts;
  #onBorrowed = () => {};

  constructor(parts: Parts) {
    this.#parts = parts;
  }

  /** Undefined when there are none, or none that belong to this application and its configured refresh token. */
  read(): StoredTokens | undefined {
    const { tokenFile, clientId } = this.#parts;
    const stored = readTokens(tokenFile, clientId());
    return stored && this.#isOurs(stored) ? stored : undefined;
  }

  /** Calls back when what `read` reads may have changed. Returns its end. */
  watch(changed: () => void): () => void {
    const { tokenFile } = this.#parts;
    const onChange = () => {
      changed();
      void this.reconcile();
    };
    watchFile(tokenFile, { interval: watchEveryMs, persistent: false }, onChange);
    return () => unwatchFile(tokenFile, onChange);
  }

  /** Begins to share, where there is more than one instance. @param onBorrowed called when the file has got another one's tokens */
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
