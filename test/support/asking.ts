/**
 * Questions to a Sendgate in front of either version, and what it tells its operators: for suites that run with both versions.
 */
import { activityIdOf } from '../../src/sandbox/v3.ts';
import type { Harness } from './harness.ts';

export type Version = 'v2' | 'v3';

/** The campaigns 1 to 40, and how to ask for them. */
export function asking({ sandbox, clock, url, service, lines }: Harness, version: Version) {
  for (let id = 1; id <= 40; id++) sandbox.campaign({ id: String(id), size: 3, newestMs: clock.now() });
  return {
    ask: async (id: number, search = '') => {
      const path = `/campaigns/${version === 'v3' ? activityIdOf(String(id)) : id}/sends`;
      const answer = await fetch(`${url}${path}${search}`);
      const { type, detail } = (await answer.json()) as { type?: string; detail?: string };
      const retryAfter = Number(answer.headers.get('retry-after') ?? Number.NaN);
      return { status: answer.status, type: type?.replace('/problems/', ''), detail, retryAfter };
    },
    management: async (path: string) => (await fetch(`${service.managementUrl}${path}`)).text(),
    /** Log lines of a level. */
    told: (level: 'error' | 'warn' | 'info') =>
      lines.filter((line) => line.includes(`"level":"${level}"`)).map((line) => JSON.parse(line)),
  };
}
