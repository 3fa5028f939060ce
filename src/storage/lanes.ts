/**
 * Few disk operations at a time: they take threads that DNS and compression need too, and a disk that hangs keeps those that it
 * has.
 */
import type { Clock } from '../clock.ts';
import type { Files } from './files.ts';

/** An operation that nobody waits for any more was not run. */
export class NotWanted extends Error {
  override readonly name = 'NotWanted';
}

/** Node's pool has four threads. */
const maxRunning = 2;

export class Lanes {
  readonly #clock: Clock;
  #free = maxRunning;
  readonly #waiting: (() => void)[] = [];
  readonly #running = new Set<{ readonly startedAt: number }>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How long the operation has been running that has run longest; 0 if none runs. */
  get longestMs(): number {
    const startedAt = Math.min(...[...this.#running].map((operation) => operation.startedAt));
    return Number.isFinite(startedAt) ? this.#clock.monotonic() - startedAt : 0;
  }

  /** Runs an operation when its turn comes, in the order of the calls. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    const running = { startedAt: this.#clock.monotonic() };
    this.#running.add(running);
    try {
      return await operation();
    } finally {
      this.#running.delete(running);
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }
}

/** Files whose operations take turns with others in the same lanes. */
export class FilesInLanes implements Files {
  readonly #files: Files;
  readonly #lanes: Lanes;

  constructor(files: Files, lanes: Lanes) {
    this.#files = files;
    this.#lanes = lanes;
  }

  /** @param isWanted asked when its turn comes; if it no longer is, rejects with NotWanted */
  read(path: string, maxBytes: number, isWanted = () => true): Promise<Buffer | undefined> {
    return this.#lanes.run(() => (isWanted() ? this.#files.read(path, maxBytes) : Promise.reject(new NotWanted())));
  }

  write(path: string, content: Buffer): Promise<void> {
    return this.#lanes.run(() => this.#files.write(path, content));
  }

  remove(path: string): Promise<void> {
    return this.#lanes.run(() => this.#files.remove(path));
  }

  removeDirectory(path: string): Promise<void> {
    return this.#lanes.run(() => this.#files.removeDirectory(path));
  }

  list(path: string): ReturnType<Files['list']> {
    return this.#lanes.run(() => this.#files.list(path));
  }

  stat(path: string): ReturnType<Files['stat']> {
    return this.#lanes.run(() => this.#files.stat(path));
  }
}
