/**
 * `sendgate_request_duration_seconds`, computed from the tally at each scrape: prom-client has no histogram that takes totals.
 */
import type { Metric } from 'prom-client';
import { latencyBuckets, type Tallied } from './tally.ts';

export function latencyHistogram(responses: () => readonly Tallied[]): Metric {
  const about = {
    name: 'sendgate_request_duration_seconds',
    help: 'Time from a request to the end of its response, by cache outcome',
    type: 'histogram',
    aggregator: 'sum',
  };
  const value = (suffix: string, labels: object, number: number) => ({
    metricName: `${about.name}_${suffix}`,
    labels,
    value: number,
  });
  const get = async () => {
    const all = responses();
    const outcomes = new Set(all.map(({ cache = 'none' }) => cache));
    const values = [...outcomes].flatMap((cache) => {
      const tallied = all.filter((one) => (one.cache ?? 'none') === cache);
      const sum = (of: (one: Tallied) => number) => tallied.reduce((total, one) => total + of(one), 0);
      let upTo = 0;
      const buckets = [...latencyBuckets, '+Inf'].map((le, bucket) => {
        upTo += sum(({ byLatency }) => byLatency[bucket] ?? 0);
        return value('bucket', { le, cache }, upTo);
      });
      return [
        ...buckets,
        value(
          'sum',
          { cache },
          sum(({ seconds }) => seconds),
        ),
        value(
          'count',
          { cache },
          sum(({ count }) => count),
        ),
      ];
    });
    return { ...about, values };
  };
  // A registry needs only these members; its type demands one of prom-client's own classes.
  return { ...about, get } as unknown as Metric;
}
