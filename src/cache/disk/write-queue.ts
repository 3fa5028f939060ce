/**
 * Changes of the disk, one after the other: nothing is written twice at the same time, or removed while it is written.
 */

/** Bytes that may wait to be written: a disk that hangs costs no more memory than this. */
const maxWaitingBytes = 16 * 1024 * 1024;

interface Write {
  readonly bytes: number;
  /** Never rejects. */
  readonly run: () => Promise<void>;
}

export class WriteQueue {
  /** By file: a later write replaces an earlier one that waits. */
  readonly #writes = new Map<string, Write>();
  readonly #removals: (() => Promise<void>)[] = [];
  #waitingBytes = 0;
  /** The work that runs and all that follows it. */
  #work: Promise<void> | undefined;
  #writing: string | undefined;

  /** Queues a write. Returns false if too much is waiting: then it is dropped. */
  write(file: string, bytes: number, run: Write['run']): boolean {
    this.#forget(file);
    if (this.#waitingBytes + bytes > maxWaitingBytes) return false;
    this.#writes.set(file, { bytes, run });
    this.#waitingBytes += bytes;
    this.#start();
    return true;
  }

  /** Runs `run` next, before all writes that wait. */
  next<T>(run: () => Promise<T>): Promise<T> {
    return new Promise((resolve, reject) => {
      this.#removals.push(() => run().then(resolve, reject));
      this.#start();
    });
  }

  /** Drops writes that wait. */
  drop(isOne: (file: string) => boolean): void {
    for (const file of [...this.#writes.keys()].filter(isOne)) this.#forget(file);
  }

  /** Whether a file is about to be written. */
  has(file: string): boolean {
    return this.#writing === file || this.#writes.has(file);
  }

  /** Resolves when nothing waits. */
  async idle(): Promise<void> {
    while (this.#work) await this.#work;
  }

  #forget(file: string): void {
    this.#waitingBytes -= this.#writes.get(file)?.bytes ?? 0;
    this.#writes.delete(file);
  }

  #start(): void {
    this.#work ??= this.#run();
  }

  async #run(): Promise<void> {
    await undefined; // What is queued together replaces itself first.
    for (;;) {
      const removal = this.#removals.shift();
      if (removal) {
        await removal();
        continue;
      }
      const [next] = this.#writes;
      if (!next) break;
      const [file, { run }] = next;
      this.#forget(file);
      this.#writing = file;
      await run();
      this.#writing = undefined;
    }
    this.#work = undefined;
  }
}
