/**
 * Where a page came from, by `Cache-Status` (RFC 9211) and `Age`. In instants, which stay true while the page is looked at.
 */
import type { ReceivedPage } from '../../client/client.ts';
import { timeElement, zoneElement } from './times.ts';

type Content = readonly (string | Node)[];

/** `From the cache, fresh until 4 Mar 2026, 05:06 UTC. Fetched at 4 Mar 2026, 05:01 UTC.` */
export function outcome({ cacheStatus, ageSeconds }: ReceivedPage<unknown>, nowMs: number): Content {
  const inSeconds = (seconds: number): Content => {
    const iso = new Date(nowMs + seconds * 1000).toISOString();
    return [timeElement(iso, 'minute'), ' ', zoneElement()];
  };
  const fetched: Content = [' Fetched at ', ...inSeconds(-ageSeconds), '.'];
  if (/; fwd=/.test(cacheStatus)) {
    const collapsed = cacheStatus.includes('collapsed') ? ', by a call shared with other requests' : '';
    return ['Fresh from Constant Contact at ', ...inSeconds(-ageSeconds), `${collapsed}.`];
  }
  if (cacheStatus.includes('stale-if-error')) {
    return ['From the cache, as Constant Contact fails at present; this is the last page it gave.', ...fetched];
  }
  const ttl = Number(/ttl=(-?\d+)/.exec(cacheStatus)?.[1] ?? 0);
  if (ttl <= 0) return ['From the cache, while a newer page is fetched: reload in a moment.', ...fetched];
  const where = cacheStatus.includes('detail=shared') ? 'the shared cache' : 'the cache';
  return [`From ${where}, fresh until `, ...inSeconds(ttl), '.', ...fetched];
}
