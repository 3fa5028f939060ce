/**
 * Counts for the rows in sight. With v2 those of each campaign cost a call, so they are asked for a few at a time, and not
 * for rows that were scrolled away.
 */
import { SendgateError, type Summary } from '../../client/client.ts';
import { ProblemBox } from './problem.ts';
import { connect } from './session.ts';

const maxRunning = 3;
/** How long scrolling has to rest. */
const restMs = 150;

/** @param summary undefined if the campaign has no counts */
type Show = (summary: Summary | undefined) => void;

interface Wanted {
  readonly id: string;
  readonly show: Show;
}

export class Counts {
  readonly #known = new WeakMap<Element, Wanted>();
  readonly #done = new WeakSet<Element>();
  readonly #inSight = new Map<Element, Wanted>();
  readonly #running = new Map<Element, AbortController>();
  readonly #observer: IntersectionObserver;
  readonly #problem: ProblemBox;
  #timer: ReturnType<typeof setTimeout> | undefined;

  /** @param problemPlace says when counts cannot be had */
  constructor(problemPlace: HTMLElement) {
    this.#problem = new ProblemBox(problemPlace);
    this.#observer = new IntersectionObserver((entries) => this.#see(entries));
  }

  /** Asks for the counts of a campaign while its row is in sight, until it has them. */
  watch(row: Element, id: string, show: Show): void {
    if (this.#done.has(row)) return;
    this.#known.set(row, { id, show });
    this.#observer.observe(row);
  }

  /** Forgets all rows. */
  clear(): void {
    this.#observer.disconnect();
    this.#inSight.clear();
    for (const controller of this.#running.values()) controller.abort();
    this.#running.clear();
    this.#problem.hide();
  }

  #see(entries: readonly IntersectionObserverEntry[]): void {
    for (const { target, isIntersecting } of entries) {
      const wanted = this.#known.get(target);
      if (isIntersecting && wanted) this.#inSight.set(target, wanted);
      else {
        this.#inSight.delete(target);
        this.#running.get(target)?.abort();
      }
    }
    clearTimeout(this.#timer);
    this.#timer = setTimeout(() => this.#askMore(), restMs);
  }

  #askMore(): void {
    if (this.#problem.isShown) return;
    for (const [row, wanted] of this.#inSight) {
      if (this.#running.size >= maxRunning) return;
      if (!this.#running.has(row)) void this.#ask(row, wanted);
    }
  }

  async #ask(row: Element, { id, show }: Wanted): Promise<void> {
    const controller = new AbortController();
    const { signal } = controller;
    this.#running.set(row, controller);
    try {
      const summary = await connect().summary(id, { signal });
      if (!signal.aborted) this.#finish(row, () => show(summary));
    } catch (error) {
      if (!signal.aborted) this.#fail(error, row, show);
    } finally {
      if (this.#running.get(row) === controller) this.#running.delete(row);
      this.#askMore();
    }
  }

  #finish(row: Element, show: () => void): void {
    this.#done.add(row);
    this.#observer.unobserve(row);
    this.#inSight.delete(row);
    show();
  }

  #fail(error: unknown, row: Element, show: Show): void {
    if (error instanceof SendgateError && error.code === 'campaign-not-found') {
      this.#finish(row, () => show(undefined));
      return;
    }
    // One box for all: the others would fail for the same reason.
    this.#problem.show(error, () => {
      this.#problem.hide();
      this.#askMore();
    });
  }
}
