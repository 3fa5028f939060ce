/**
 * Metrics for Prometheus. No label takes a value from a request.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';

/** From a hit in memory to an upstream that takes its time. */
const latencyBuckets = [0.0005, 0.001, 0.0025, 0.005, 0.01, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 20];

export interface Gauges {
  readonly cacheBytes: () => number;
  readonly cachePages: () => number;
  readonly quotaWaiting: () => number;
  readonly credentialsRefused: () => boolean;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #requests = new Counter({
    name: 'sendgate_requests_total',
    help: 'Requests answered, by route and status',
    labelNames: ['route', 'status'] as const,
    registers: [this.registry],
  });
  readonly #latency = new Histogram({
    name: 'sendgate_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by cache outcome',
    labelNames: ['cache'] as const,
    buckets: latencyBuckets,
    registers: [this.registry],
  });
  readonly #upstreamCalls = new Counter({
    name: 'sendgate_upstream_calls_total',
    help: 'Calls to Constant Contact, by outcome',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });
  readonly #upstreamLatency = new Histogram({
    name: 'sendgate_upstream_call_duration_seconds',
    help: 'Time that Constant Contact takes for one call',
    buckets: latencyBuckets,
    registers: [this.registry],
  });

  /** Label sets are few, and looking one up by its values costs more than counting. */
  readonly #byRoute = new Map<string, Map<number, Counter.Internal>>();
  readonly #byCache = new Map<string, Histogram.Internal<'cache'>>();

  constructor(gauges: Gauges) {
    const gauge = (name: string, help: string, read: () => number) => {
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(read());
        },
      });
    };
    gauge('sendgate_cache_bytes', 'Bytes held by the cache', gauges.cacheBytes);
    gauge('sendgate_cache_pages', 'Pages held by the cache', gauges.cachePages);
    gauge('sendgate_quota_waiting', 'Calls that wait for their turn', gauges.quotaWaiting);
    gauge('sendgate_upstream_credentials_refused', '1 while Constant Contact refuses the credentials', () =>
      gauges.credentialsRefused() ? 1 : 0,
    );
  }

  /** Adds the process's own: memory, CPU, event-loop delay. Once a process. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  request(route: string, status: number, cache: string, seconds: number): void {
    let requests = this.#byRoute.get(route)?.get(status);
    if (!requests) {
      requests = this.#requests.labels(route, String(status));
      this.#byRoute.set(route, (this.#byRoute.get(route) ?? new Map()).set(status, requests));
    }
    requests.inc();
    let latency = this.#byCache.get(cache);
    if (!latency) {
      latency = this.#latency.labels(cache);
      this.#byCache.set(cache, latency);
    }
    latency.observe(seconds);
  }

  upstreamCall(outcome: string, seconds: number): void {
    this.#upstreamCalls.labels(outcome).inc();
    this.#upstreamLatency.observe(seconds);
  }
}
