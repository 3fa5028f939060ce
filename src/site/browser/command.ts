/**
 * The request of what is shown as a curl command, to copy.
 */
import { within } from './page.ts';
import { hasToken } from './session.ts';
import { shell } from './shell.ts';

const copiedMs = 2_000;

/** Returns a function that shows the command for a URL. */
export function commandIn(place: HTMLElement): (url: string) => void {
  const code = within(place, 'code');
  const button = within(place, 'button');
  const hint = within(place, 'small');
  button.addEventListener('click', async () => {
    button.textContent = (await copy(code)) ? 'Copied' : 'Press Ctrl+C';
    setTimeout(() => {
      button.textContent = 'Copy';
    }, copiedMs);
  });
  return (url) => {
    code.textContent = `curl ${hasToken() ? "-H 'Authorization: Bearer …' " : ''}${shell(url)}`;
    hint.hidden = !hasToken();
  };
}

/** Copies a text, or selects it where pages may not copy: browsers allow that on https and localhost only. */
async function copy(code: HTMLElement): Promise<boolean> {
  try {
    await navigator.clipboard.writeText(code.textContent ?? '');
    return true;
  } catch {
    getSelection()?.selectAllChildren(code);
    return false;
  }
}
