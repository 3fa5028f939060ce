/**
 * Shows that a part of the page loads and, if that takes long, for how long.
 */
import { make } from './page.ts';

/** Before that, a counter only flickers. */
const longSeconds = 2;

export class Loading {
  readonly #region: HTMLElement;
  readonly #what = make('span', '');
  /** Hidden from screen readers, which would read every second. */
  readonly #elapsed = make('span', 'hint');
  readonly #line = make('p', 'loading', make('span', 'spinner'), this.#what, ' ', this.#elapsed);
  #timer: ReturnType<typeof setInterval> | undefined;

  /** @param place where the line stands in the region */
  constructor(region: HTMLElement, place: HTMLElement) {
    this.#region = region;
    this.#what.setAttribute('role', 'status');
    this.#elapsed.setAttribute('aria-hidden', 'true');
    this.#line.hidden = true;
    place.append(this.#line);
  }

  start(what: string): void {
    this.stop();
    this.#region.setAttribute('aria-busy', 'true');
    this.#line.hidden = false;
    this.#what.textContent = `${what} …`;
    const startedAt = performance.now();
    this.#timer = setInterval(() => {
      const seconds = Math.floor((performance.now() - startedAt) / 1000);
      if (seconds >= longSeconds) this.#elapsed.textContent = `${seconds} s`;
    }, 500);
  }

  stop(): void {
    clearInterval(this.#timer);
    this.#region.removeAttribute('aria-busy');
    this.#line.hidden = true;
    this.#what.textContent = '';
    this.#elapsed.textContent = '';
  }
}
