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
  /** What runs before all writes. */
  readonly #first: (() => Promise<void>)[] = [];
  #waitingBytes = 0;
  /** The work that runs and all that follows it. */
  #work: Promise<void> | undefined;
  #running: { readonly file: string; readonly written: Promise<void> } | undefined;

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
      this.#first.push(() => run().then(resolve, reject));
      this.#start();
    });
  }

  /** Resolves when a file that waits or is being written is written: before all others, since somebody waits for it. */
  async written(file: string): Promise<void> {
    if (this.#writes.has(file)) await this.next(() => this.#write(file));
    else if (this.#running?.file === file) await this.#running.written;
  }

  /** Drops writes that wait. */
  drop(isOne: (file: string) => boolean): void {
    for (const file of [...this.#writes.keys()].filter(isOne)) this.#forget(file);
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
      const first = this.#first.shift();
      const [next] = this.#writes.keys();
      if (first) await first();
      else if (next !== undefined) await this.#write(next);
      else break;
    }
    this.#work = undefined;
  }

  async #write(file: string): Promise<void> {
    const write = this.#writes.get(file);
    if (!write) return;
    this.#forget(file);
    const written = write.run();
    this.#running = { file, written };
    await written;
    this.#running = undefined;
  }
}
