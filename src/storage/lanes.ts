/**
 * Few disk operations at a time: they take threads that DNS and compression need too, and a disk that hangs keeps those that it
 * has.
 */
import { answersWithin, type Clock } from '../clock.ts';
import type { Files } from './files.ts';

/** An operation was not run, because its caller has given up. */
export class NotWanted extends Error {
  override readonly name = 'NotWanted';
}

/** Node's pool has four threads. */
const maxRunning = 2;
/** Longest usual operation: a disk that takes longer is not waited for. */
export const answerLimitMs = 500;

export class Lanes {
  readonly #clock: Clock;
  #free = maxRunning;
  readonly #waiting: (() => void)[] = [];
  #hanging = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Whether an operation is running that the disk has not answered in time. */
  get hangs(): boolean {
    return this.#hanging > 0;
  }

  /** Runs an operation when its turn comes, in the order of the calls. */
  async run<T>(operation: () => Promise<T>): Promise<T> {
    if (this.#free > 0) this.#free--;
    else await new Promise<void>((resolve) => this.#waiting.push(resolve));
    try {
      return await this.#watch(operation());
    } finally {
      const next = this.#waiting.shift();
      if (next) next();
      else this.#free++;
    }
  }

  async #watch<T>(running: Promise<T>): Promise<T> {
    if (await answersWithin(this.#clock, answerLimitMs, running)) return running;
    this.#hanging++;
    try {
      return await running;
    } finally {
      this.#hanging--;
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
