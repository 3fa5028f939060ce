/**
 * Metrics for Prometheus. No label takes a value from a request: teams come from the configuration.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, type Metric, Registry } from 'prom-client';
import type { Events } from '../events.ts';
import { accountName } from '../quota/day-shares.ts';
import type { TeamDayStatus } from '../quota/team-day.ts';
import { latencyBuckets as bounds, type Tallied } from './tally.ts';

const latencyBuckets = [...bounds];

/** Read when they are asked for. Booleans are 1 and 0. */
export interface Gauges {
  readonly cacheBytes: () => number;
  readonly cachePages: () => number;
  readonly quotaWaiting: () => number;
  readonly exportsRunning: () => number;
  readonly workers: () => number;
  readonly callsToday: () => number;
  readonly callsLeftToday: () => number;
  readonly tokenLifeSeconds: () => number;
  readonly instances: () => number;
  readonly redisDown: () => boolean;
  readonly credentialsRefused: () => boolean;
  readonly gone: () => boolean;
  readonly quotaExhausted: () => boolean;
  readonly circuitOpen: () => boolean;
}

/** Gauges of each team's day. */
const teamGauges = [
  ['sendgate_quota_team_calls_today', 'Calls made since 00:00 UTC, by team', 'calls'],
  ['sendgate_quota_team_part', 'Calls of a day that a team is sure of', 'part'],
  ['sendgate_quota_team_borrowed', 'Calls that a team has made beyond its part since 00:00 UTC', 'borrowed'],
  ['sendgate_quota_team_available', 'Calls that a team may still make now', 'available'],
] as const;

const gaugeHelp: Readonly<Record<keyof Gauges, readonly [name: string, help: string]>> = {
  cacheBytes: ['sendgate_cache_bytes', 'Bytes held by the cache'],
  cachePages: ['sendgate_cache_pages', 'Pages held by the cache'],
  quotaWaiting: ['sendgate_quota_waiting', 'Calls that wait for their turn'],
  exportsRunning: ['sendgate_exports_running', 'Exports of whole campaigns that run'],
  workers: ['sendgate_workers', 'Processes that answer callers'],
  callsToday: ['sendgate_quota_calls_today', 'Calls made since 00:00 UTC'],
  callsLeftToday: ['sendgate_quota_calls_left_today', 'Calls left until 00:00 UTC'],
  tokenLifeSeconds: ['sendgate_upstream_token_life_seconds', "Life left to v3's access token; 0 without one"],
  instances: ['sendgate_instances', 'Instances that share pages and quota, as last seen; 1 without Redis'],
  redisDown: ['sendgate_redis_down', '1 while Redis is configured and does not help'],
  credentialsRefused: ['sendgate_upstream_credentials_refused', '1 while Constant Contact refuses the credentials'],
  gone: ['sendgate_upstream_gone', '1 while the version of the API in use is withdrawn by Constant Contact'],
  quotaExhausted: [
    'sendgate_upstream_quota_exhausted',
    "1 while the day's quota is spent, by our count or by what Constant Contact says",
  ],
  circuitOpen: ['sendgate_upstream_circuit_open', '1 while Constant Contact is taken to be down'],
};

export class Metrics {
  readonly registry = new Registry();
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
  readonly #oddRows = new Counter({
    name: 'sendgate_upstream_odd_rows_total',
    help: 'Rows of Constant Contact in which a field was missing or odd, by field; `link`: pages whose link has unknown parameters',
    labelNames: ['field'] as const,
    registers: [this.registry],
  });
  readonly #refreshes = new Counter({
    name: 'sendgate_upstream_token_refreshes_total',
    help: "Refreshes of v3's access token, by outcome",
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });
  readonly #redisCommands = new Counter({
    name: 'sendgate_redis_commands_total',
    help: 'Round trips to Redis, by script and outcome',
    labelNames: ['script', 'outcome'] as const,
    registers: [this.registry],
  });
  readonly #redisLatency = new Histogram({
    name: 'sendgate_redis_command_duration_seconds',
    help: 'Time that Redis takes for one round trip',
    buckets: latencyBuckets,
    registers: [this.registry],
  });
  readonly #waits = new Histogram({
    name: 'sendgate_quota_wait_seconds',
    help: 'Time that calls wait for their turn, by team and urgency',
    labelNames: ['team', 'urgency'] as const,
    buckets: latencyBuckets,
    registers: [this.registry],
  });

  /**
   * @param answers all that were given, when they are asked for
   * @param deaths of processes that answered
   * @param teams each team's day
   * @param lostLogBytes of log lines that could not be written
   */
  constructor(
    gauges: Gauges,
    answers: () => readonly Tallied[],
    deaths: () => number,
    teams: () => readonly TeamDayStatus[],
    lostLogBytes: () => number,
  ) {
    for (const [name, help, field] of teamGauges) {
      new Gauge({
        name,
        help,
        labelNames: ['team'] as const,
        registers: [this.registry],
        collect() {
          this.reset();
          for (const day of teams()) this.set({ team: day.team || accountName }, day[field]);
        },
      });
    }
    new Counter({
      name: 'sendgate_log_lost_bytes_total',
      help: 'Bytes of log lines dropped because they could not be written',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(lostLogBytes());
      },
    });
    new Counter({
      name: 'sendgate_worker_deaths_total',
      help: 'Processes that have died, and in whose place others were started',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(deaths());
      },
    });
    new Counter({
      name: 'sendgate_requests_total',
      help: 'Requests answered, by route, status and team',
      labelNames: ['route', 'status', 'team'] as const,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { route, status, team, count } of answers())
          this.inc({ route, status: String(status), team }, count);
      },
    });
    new Counter({
      name: 'sendgate_pages_served_total',
      help: 'Pages answered, by team and cache outcome',
      labelNames: ['team', 'cache'] as const,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { team, cache, count } of answers()) if (cache) this.inc({ team, cache }, count);
      },
    });
    this.registry.registerMetric(latencyOf(answers));
    for (const [key, [name, help]] of Object.entries(gaugeHelp)) {
      const read = gauges[key as keyof Gauges];
      new Gauge({
        name,
        help,
        registers: [this.registry],
        collect() {
          this.set(Number(read()));
        },
      });
    }
  }

  /** Adds the process's own: memory, CPU, event-loop delay. Once a process. */
  collectProcessMetrics(): void {
    collectDefaultMetrics({ register: this.registry });
  }

  /** Counts what is told from now on. */
  listen(events: Events): void {
    events.on('upstream.called', ({ outcome, seconds }) => {
      this.#upstreamCalls.labels(outcome).inc();
      this.#upstreamLatency.observe(seconds);
    });
    events.on('upstream.odd_rows', ({ field, rows }) => this.#oddRows.labels(field).inc(rows));
    events.on('redis.asked', ({ script, outcome, seconds }) => {
      this.#redisCommands.labels(script, outcome).inc();
      this.#redisLatency.observe(seconds);
    });
    events.on('token.refresh_tried', ({ outcome }) => this.#refreshes.labels(outcome).inc());
    events.on('quota.waited', ({ team, urgency, seconds }) => this.#waits.labels(team, urgency).observe(seconds));
  }
}

/** A histogram that is made when it is read. */
function latencyOf(answers: () => readonly Tallied[]): Metric {
  const about = {
    name: 'sendgate_request_duration_seconds',
    help: 'Time from the request to the end of its answer, by cache outcome',
    type: 'histogram',
    aggregator: 'sum',
  };
  const value = (suffix: string, labels: object, number: number) => ({
    metricName: `${about.name}_${suffix}`,
    labels,
    value: number,
  });
  const get = async () => {
    const all = answers();
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
  // What a registry asks of a metric is this; its type asks for one of prom-client's own classes.
  return { ...about, get } as unknown as Metric;
}
