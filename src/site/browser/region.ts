/**
 * A part of the page that shows one answer at a time: that it loads, its values as they arrive, or its problem.
 */
import { Loading } from './loading.ts';
import { within } from './page.ts';
import { ProblemBox } from './problem.ts';

export type Outcome = 'done' | 'failed' | 'aborted';

export interface Question<T> {
  /** What loads: `Loading campaigns`. Undefined: what is shown is only brought up to date. */
  readonly what: string | undefined;
  readonly load: (signal: AbortSignal) => AsyncIterable<T>;
  readonly show: (value: T) => void;
  /** What "Try again" does. Default asks again. */
  readonly again?: () => void;
}

export class Region {
  readonly #loading: Loading;
  readonly #problem: ProblemBox;
  #current: AbortController | undefined;

  /** @param element holds an element of class `state`, where the region says that it loads, or its problem */
  constructor(element: HTMLElement) {
    const state = within(element, '.state');
    this.#loading = new Loading(element, state);
    this.#problem = new ProblemBox(state);
  }

  get isBusy(): boolean {
    return this.#current !== undefined;
  }

  get hasFailed(): boolean {
    return this.#problem.isShown;
  }

  get asksForToken(): boolean {
    return this.#problem.asksForToken;
  }

  /** Aborts what was asked before, of which nothing will be shown any more. */
  async ask<T>(question: Question<T>): Promise<Outcome> {
    this.#abort();
    const controller = new AbortController();
    this.#current = controller;
    if (question.what !== undefined) {
      this.#problem.hide();
      this.#loading.start(question.what);
    }
    try {
      return await this.#follow(question, controller.signal);
    } finally {
      if (this.#current === controller) this.#end();
    }
  }

  stop(): void {
    this.#abort();
    this.#problem.hide();
  }

  #abort(): void {
    this.#current?.abort();
    this.#end();
  }

  async #follow<T>(question: Question<T>, signal: AbortSignal): Promise<Outcome> {
    const values = question.load(signal)[Symbol.asyncIterator]();
    for (;;) {
      // Only errors of the request are problems to show; one in `show` is a fault of the page.
      const next = await values.next().catch((error: unknown) => {
        if (!signal.aborted) this.#problem.show(error, question.again ?? (() => void this.ask(question)));
        return undefined;
      });
      if (signal.aborted) return 'aborted';
      if (!next) return 'failed';
      this.#problem.hide();
      if (next.done) return 'done';
      question.show(next.value);
    }
  }

  #end(): void {
    this.#current = undefined;
    this.#loading.stop();
  }
}

/** One value, as a region asks for it. */
export async function* single<T>(value: Promise<T>): AsyncGenerator<T, void, undefined> {
  yield await value;
}

/** The first values, up to `count`. */
export async function* first<T>(count: number, values: AsyncIterable<T>): AsyncGenerator<T, void, undefined> {
  let left = count;
  for await (const value of values) {
    yield value;
    if (--left <= 0) return;
  }
}
