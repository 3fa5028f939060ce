/**
 * Who asks: the address of Sendgate and the team's token. The tab keeps the token until it is closed or the token forgotten. It is
 * in no address; a tab that is duplicated or reopened has it, too.
 */
import { type Client, createClient } from '../../client/client.ts';
import { part } from './page.ts';
import { baseUrl, remembered } from './remembered.ts';

export { baseUrl };

const field = part<HTMLInputElement>('token');
const stored = remembered(() => sessionStorage, 'token');
let token = stored.read();
let isRefused = false;
let whenChanged: () => void = () => {};

export const hasToken = () => token !== '';

/** Whether the last token belonged to no team. */
export const wasRefused = () => isRefused;

/** @param patienceSeconds 0: errors show at once, and the person decides whether to wait */
export function connect(patienceSeconds = 0): Client {
  return createClient({ baseUrl, patienceSeconds, ...(hasToken() ? { token } : {}) });
}

export const authorization = (): Readonly<Record<string, string>> =>
  hasToken() ? { authorization: `Bearer ${token}` } : {};

/** Forgets a token that was refused. */
export function refuseToken(): void {
  if (!hasToken()) return;
  keep('');
  isRefused = true;
}

/** Keeps a token, and shows what it gives access to. */
export function useToken(value: string): void {
  isRefused = false;
  keep(value.trim().replace(/^Bearer\s+/i, ''));
  whenChanged();
}

export function onTokenChange(listener: () => void): void {
  whenChanged = listener;
}

function keep(value: string): void {
  token = value;
  stored.write(value);
  field.value = '';
  part('token-field').hidden = value !== '';
  part('token-kept').hidden = value === '';
}

part('token-form').addEventListener('submit', (event) => {
  event.preventDefault();
  useToken(field.value);
});
part('token-forget').addEventListener('click', () => {
  keep('');
  // What was loaded with it goes, too.
  location.reload();
});
keep(token);
