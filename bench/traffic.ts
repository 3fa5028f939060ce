/**
 * Traffic as callers make it: a number of requests a second, whether earlier ones were answered or not.
 */
import http from 'node:http';
import { setTimeout as delay } from 'node:timers/promises';

export const agent = new http.Agent({ keepAlive: true, maxSockets: 600 });

export interface Answer {
  readonly status: number;
  readonly cache: string;
  readonly link: string;
  readonly ms: number;
}

/** @param team that the header `x-team` names */
export function ask(url: string, team = 'a'): Promise<Answer> {
  const started = performance.now();
  return new Promise((resolve, reject) => {
    http
      .get(url, { agent, headers: { 'x-team': team, 'accept-encoding': 'gzip, deflate, br' } }, (answer) => {
        const { headers, statusCode = 0 } = answer;
        answer.resume().once('end', () =>
          resolve({
            status: statusCode,
            cache: String(headers['cache-status'] ?? ''),
            link: /^<([^>]+)>/.exec(String(headers.link ?? ''))?.[1] ?? '',
            ms: performance.now() - started,
          }),
        );
      })
      .once('error', reject);
  });
}

/** Calls `one` at a steady rate, and waits for all calls. */
export async function paced(perSecond: number, seconds: number, one: (n: number) => Promise<void>): Promise<void> {
  const started = performance.now();
  const running: Promise<void>[] = [];
  for (let n = 0; n < perSecond * seconds; n++) {
    const due = started + (n * 1000) / perSecond;
    if (due > performance.now()) await delay(due - performance.now());
    running.push(one(n));
  }
  await Promise.all(running);
}

export const tally = (counts: Map<string, number>, key: string) => counts.set(key, (counts.get(key) ?? 0) + 1);
export const told = (counts: Map<string, number>) =>
  [...counts]
    .sort()
    .map(([key, n]) => `${key}: ${n.toLocaleString('en')}`)
    .join(', ');
