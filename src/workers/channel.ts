/**
 * What a worker and the primary say to each other: questions with one answer each, and news.
 */
import { Problem, type ProblemCode } from '../problems.ts';
import { inTraceOf, traceHeaders } from '../tracing.ts';

/** The variable in a worker's environment that holds the salt of `RateLimit-Policy`. */
export const saltVariable = 'PARTITION_SALT';

interface PlainProblem {
  readonly code: ProblemCode;
  readonly detail: string;
  readonly retryAfterSeconds: number | undefined;
  readonly reason: string | undefined;
}

export type FromWorker<N> =
  | {
      readonly kind: 'ask';
      readonly id: number;
      readonly what: string;
      readonly about: unknown;
      /** In which trace. */
      readonly trace: Readonly<Record<string, string>>;
    }
  /** The answer is not wanted any more. */
  | { readonly kind: 'leave'; readonly id: number }
  | { readonly kind: 'news'; readonly news: N };

export type FromPrimary<N> =
  | { readonly kind: 'answer'; readonly id: number; readonly value: unknown }
  | { readonly kind: 'problem'; readonly id: number; readonly problem: PlainProblem }
  | { readonly kind: 'news'; readonly news: N };

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The worker's end: asks. */
export class Asking {
  readonly #send: (message: FromWorker<never>) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(send: (message: FromWorker<never>) => void) {
    this.#send = send;
  }

  /** @throws Problem with which the primary has answered, or the signal's reason */
  ask<T>(what: string, about: unknown, signal?: AbortSignal): Promise<T> {
    const id = ++this.#last;
    return new Promise<T>((resolve, reject) => {
      const leave = () => {
        this.#send({ kind: 'leave', id });
        this.#settle(id)?.reject(signal?.reason);
      };
      if (signal?.aborted) return reject(signal.reason);
      signal?.addEventListener('abort', leave, { once: true });
      const done = () => signal?.removeEventListener('abort', leave);
      this.#waiting.set(id, {
        resolve: (value) => {
          done();
          resolve(value as T);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#send({ kind: 'ask', id, what, about, trace: traceHeaders() });
    });
  }

  received(message: FromPrimary<unknown>): void {
    if (message.kind === 'answer') this.#settle(message.id)?.resolve(message.value);
    if (message.kind === 'problem') {
      const { code, ...options } = message.problem;
      this.#settle(message.id)?.reject(new Problem(code, options));
    }
  }

  #settle(id: number): Waiting | undefined {
    const waiting = this.#waiting.get(id);
    this.#waiting.delete(id);
    return waiting;
  }
}

/** What can be asked. An error that is no Problem is told to `onUnexpected`, and to the worker that there was one. */
export type Answers = Readonly<Record<string, (about: never, signal: AbortSignal) => unknown>>;

/** The primary's end for one worker: answers. */
export class Answering {
  readonly #answers: Answers;
  readonly #send: (message: FromPrimary<never>) => void;
  readonly #onUnexpected: (error: unknown) => void;
  readonly #asked = new Map<number, AbortController>();
  #isClosed = false;

  constructor(answers: Answers, send: (message: FromPrimary<never>) => void, onUnexpected: (error: unknown) => void) {
    this.#answers = answers;
    this.#send = send;
    this.#onUnexpected = onUnexpected;
  }

  received(message: FromWorker<unknown>): void {
    // A worker's last words can arrive after its end: nobody would give back what they take.
    if (this.#isClosed) return;
    if (message.kind === 'ask') {
      const { id, what, about, trace } = message;
      void inTraceOf(trace, () => this.#answer(id, what, about));
    }
    if (message.kind === 'leave')
      this.#asked.get(message.id)?.abort(new Problem('upstream-busy', { reason: 'abandoned' }));
  }

  /** The worker is gone, and so are those who waited in it. */
  close(): void {
    for (const [id] of this.#asked) this.received({ kind: 'leave', id });
    this.#isClosed = true;
  }

  async #answer(id: number, what: string, about: unknown): Promise<void> {
    const left = new AbortController();
    this.#asked.set(id, left);
    try {
      const value = await this.#answers[what]?.(about as never, left.signal);
      if (!left.signal.aborted) this.#send({ kind: 'answer', id, value });
    } catch (error) {
      if (left.signal.aborted) return;
      const problem = error instanceof Problem ? error : new Problem('internal-error');
      if (problem !== error) this.#onUnexpected(error);
      const { code, message: detail, retryAfterSeconds, reason } = problem;
      this.#send({ kind: 'problem', id, problem: { code, detail, retryAfterSeconds, reason } });
    } finally {
      this.#asked.delete(id);
    }
  }
}
