/**
 * Who asks: the address of Sendgate and the team's token, which is kept nowhere but in its field.
 */
import { type Client, createClient } from '../../client/client.ts';
import { part } from './page.ts';

export const baseUrl = new URL('.', location.href).href;

const token = part<HTMLInputElement>('token');

export const hasToken = () => token.value !== '';

/** @param patienceSeconds 0: errors show at once, and the person decides whether to wait */
export function connect(patienceSeconds = 0): Client {
  return createClient({ baseUrl, patienceSeconds, ...(hasToken() ? { token: token.value } : {}) });
}

export const authorization = (): Readonly<Record<string, string>> =>
  hasToken() ? { authorization: `Bearer ${token.value}` } : {};

export function onTokenChange(listener: () => void): void {
  token.addEventListener('change', listener);
}

/** Enters a token, as if it were typed into its field. */
export function useToken(value: string): void {
  token.value = value;
  token.dispatchEvent(new Event('change'));
}

part('token-form').addEventListener('submit', (event) => event.preventDefault());
