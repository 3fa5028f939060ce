/**
 * The problem box: what happened, which parameters are wrong, what to do, and when to retry.
 */
import { SendgateError } from '../../client/client.ts';
import { copyOf, make, part, within } from './page.ts';
import { detailInWords, mistakeInWords, wayOut, withCode } from './problem-words.ts';
import { refuseToken, useToken } from './session.ts';
import { inWords } from './words.ts';

export class ProblemBox {
  readonly #box = copyOf('problem-template');
  #again: () => void = () => {};
  #countdown: ReturnType<typeof setInterval> | undefined;
  #told = '';
  /** "Try again" had the focus when it was hidden. */
  #wasPressed = false;

  constructor(place: HTMLElement) {
    this.#box.hidden = true;
    within(this.#box, '.again').addEventListener('click', () => this.#again());
    within(this.#box, '.enter-token').addEventListener('submit', (event) => {
      event.preventDefault();
      useToken(within<HTMLInputElement>(this.#box, '.enter-token input').value);
    });
    place.append(this.#box);
  }

  get isShown(): boolean {
    return !this.#box.hidden;
  }

  get asksForToken(): boolean {
    return this.isShown && !within(this.#box, '.enter-token').hidden;
  }

  /**
   * A problem that is shown already is not told again: a screen reader would interrupt with it at every poll.
   *
   * @param again what "Try again" does
   */
  show(error: unknown, again: () => void): void {
    this.#again = again;
    this.#countDown(error instanceof SendgateError ? (error.retryAfterSeconds ?? 0) : 0);
    const isUnauthorized = error instanceof SendgateError && error.code === 'unauthorized';
    if (isUnauthorized) refuseToken();
    const problem = error instanceof SendgateError ? error.problem : undefined;
    const told = JSON.stringify([problem?.type, detailInWords(error), problem?.errors]);
    if (this.isShown && told === this.#told && !isUnauthorized) return;
    this.#told = told;
    this.#say(
      'h2',
      problem?.title ??
        (error instanceof SendgateError ? 'This answer is not from Sendgate' : 'Sendgate cannot be reached'),
    );
    within(this.#box, '.detail').replaceChildren(...withCode(detailInWords(error)));
    within(this.#box, 'ul').replaceChildren(
      ...(problem?.errors ?? []).map((mistake) => make('li', '', ...withCode(mistakeInWords(mistake)))),
    );
    const way = wayOut(error);
    within(this.#box, '.again').hidden = way !== 'again';
    within(this.#box, '.to-list').hidden = way !== 'back';
    within(this.#box, '.enter-token').hidden = !isUnauthorized;
    const link = within<HTMLAnchorElement>(this.#box, '.remedy');
    link.hidden = problem === undefined;
    if (problem) link.href = problem.type;
    this.#box.hidden = false;
    this.#box.scrollIntoView({ block: 'nearest' });
    if (isUnauthorized) this.#askForToken();
    else if (this.#wasPressed && document.activeElement?.id === 'main') within(this.#box, '.again').focus();
  }

  #askForToken(): void {
    const field = within<HTMLInputElement>(this.#box, '.enter-token input');
    field.value = '';
    // Unless a person is elsewhere on the page.
    const focused = document.activeElement;
    if (focused === null || focused === document.body || focused.id === 'main') field.focus();
  }

  hide(): void {
    clearInterval(this.#countdown);
    const hadFocus = this.#box.contains(document.activeElement);
    this.#wasPressed = within(this.#box, '.again') === document.activeElement;
    this.#box.hidden = true;
    if (hadFocus) part('main').focus({ preventScroll: true });
  }

  #countDown(seconds: number): void {
    clearInterval(this.#countdown);
    let left = seconds;
    const tick = () => {
      this.#say('.wait', left > 0 ? `It may work in ${inWords(left)}.` : '');
      if (left-- <= 0) clearInterval(this.#countdown);
    };
    tick();
    if (left >= 0) this.#countdown = setInterval(tick, 1_000);
  }

  #say(selector: string, text: string): void {
    within(this.#box, selector).textContent = text;
  }
}
