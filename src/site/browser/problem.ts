/**
 * The problem box: what happened, which parameters are wrong, and when to retry.
 */
import { SendgateError } from '../../client/client.ts';
import { part, say } from './page.ts';
import { number } from './words.ts';

let retry: () => void = () => {};
let countdown: ReturnType<typeof setInterval> | undefined;

/** @param again what "Try again" does */
export function showProblem(error: unknown, again: () => void): void {
  retry = again;
  const problem = error instanceof SendgateError ? error.problem : undefined;
  say('problem-title', problem?.title ?? 'Sendgate cannot be reached');
  say('problem-detail', problem?.detail ?? 'The connection failed or was reset. The data shown may be old.');
  part('problem-errors').replaceChildren(
    ...(problem?.errors ?? []).map(({ parameter, problem, allowed }) => {
      const item = document.createElement('li');
      item.textContent = `${parameter} ${problem}; allowed: ${allowed}`;
      return item;
    }),
  );
  const link = part<HTMLAnchorElement>('problem-more');
  link.hidden = problem === undefined;
  if (problem) link.href = problem.type;
  countDown(error instanceof SendgateError ? (error.retryAfterSeconds ?? 0) : 0);
  part('problem').hidden = false;
}

export function hideProblem(): void {
  part('problem').hidden = true;
}

function countDown(seconds: number): void {
  clearInterval(countdown);
  let left = seconds;
  const tick = () => {
    say('problem-wait', left > 0 ? `It may work in ${number(left)} s.` : '');
    if (left-- <= 0) clearInterval(countdown);
  };
  tick();
  if (left >= 0) countdown = setInterval(tick, 1_000);
}

part('again').addEventListener('click', () => retry());
