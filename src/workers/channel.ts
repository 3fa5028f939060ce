/**
 * Carries a worker's questions to the primary over the channel between the two processes.
 */
import { Problem } from '../problems.ts';
import { inTraceOf, traceHeaders } from '../tracing.ts';
import type { Answers, FromPrimary, FromWorker, Question, Questions } from './protocol.ts';

interface Waiting {
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** The worker's end: asks. */
export class Asking {
  readonly #send: (message: FromWorker) => void;
  readonly #waiting = new Map<number, Waiting>();
  #last = 0;

  constructor(send: (message: FromWorker) => void) {
    this.#send = send;
  }

  /** @throws Problem that the primary answered with, or the signal's reason */
  ask<Q extends Question>(
    what: Q,
    about: Questions[Q]['about'],
    signal?: AbortSignal,
  ): Promise<Questions[Q]['answer']> {
    const id = ++this.#last;
    return new Promise((resolve, reject) => {
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
          resolve(value as Questions[Q]['answer']);
        },
        reject: (error) => {
          done();
          reject(error);
        },
      });
      this.#send({ kind: 'ask', id, what, about, trace: traceHeaders() });
    });
  }

  received(message: FromPrimary): void {
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

/** The primary's end for one worker: answers. */
export class Answering {
  readonly #answers: Answers;
  readonly #send: (message: FromPrimary) => void;
  readonly #onUnexpected: (error: unknown) => void;
  readonly #asked = new Map<number, AbortController>();
  #isClosed = false;

  /** @param onUnexpected called with an error that is not a Problem; the worker gets `internal-error` */
  constructor(answers: Answers, send: (message: FromPrimary) => void, onUnexpected: (error: unknown) => void) {
    this.#answers = answers;
    this.#send = send;
    this.#onUnexpected = onUnexpected;
  }

  received(message: FromWorker): void {
    // A worker's messages can arrive after its end; a slot taken then would never be released.
    if (this.#isClosed) return;
    if (message.kind === 'ask') {
      const { id, what, about, trace } = message;
      void inTraceOf(trace, () => this.#answer(id, what, about));
    }
    if (message.kind === 'leave')
      this.#asked.get(message.id)?.abort(new Problem('upstream-busy', { reason: 'abandoned' }));
  }

  /** Aborts all questions: the worker has ended, and its callers have disconnected. */
  close(): void {
    for (const [id] of this.#asked) this.received({ kind: 'leave', id });
    this.#isClosed = true;
  }

  async #answer(id: number, what: Question, about: unknown): Promise<void> {
    const left = new AbortController();
    this.#asked.set(id, left);
    try {
      const value = await this.#answers[what](about as never, left.signal);
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
