/**
 * Metrics for Prometheus. No label takes a value from a request: teams come from the configuration.
 */
import { Counter, collectDefaultMetrics, Gauge, Histogram, Registry } from 'prom-client';
import type { Events } from '../events.ts';
import { accountName } from '../quota/day-shares.ts';
import type { TeamDayStatus } from '../quota/day-status.ts';
import { type Gauges, gaugeHelp, teamGauges } from './gauges.ts';
import { latencyHistogram } from './latency-histogram.ts';
import { latencyBuckets as bounds, type Tallied } from './tally.ts';

const latencyBuckets = [...bounds];

/** What is read at every scrape. Everything else is counted as it happens. */
interface MetricSources {
  /** Sendgate's version. */
  readonly version: string;
  readonly gauges: Gauges;
  /** All responses since start. */
  readonly responses: () => readonly Tallied[];
  /** Counts workers that died. */
  readonly deaths: () => number;
  /** Each team's day. */
  readonly teams: () => readonly TeamDayStatus[];
  /** Bytes of dropped log lines. */
  readonly lostLogBytes: () => number;
}

export class Metrics {
  readonly registry = new Registry();
  readonly #upstreamCalls = new Counter({
    name: 'sendgate_upstream_calls_total',
    help: 'Calls to Constant Contact, by report, outcome and the team that paid',
    labelNames: ['report', 'outcome', 'team'] as const,
    registers: [this.registry],
  });
  readonly #callWaits = new Counter({
    name: 'sendgate_upstream_call_wait_seconds_total',
    help: 'Seconds that calls to Constant Contact queued before they were made, by report and team',
    labelNames: ['report', 'team'] as const,
    registers: [this.registry],
  });
  readonly #upstreamLatency = new Histogram({
    name: 'sendgate_upstream_call_duration_seconds',
    help: 'Duration of one call to Constant Contact, by report',
    labelNames: ['report'] as const,
    buckets: latencyBuckets,
    registers: [this.registry],
  });
  readonly #oddRows = new Counter({
    name: 'sendgate_upstream_odd_rows_total',
    help: 'Rows of Constant Contact with a missing or malformed field, by field; `link`: pages whose link has unknown parameters',
    labelNames: ['field'] as const,
    registers: [this.registry],
  });
  readonly #refreshes = new Counter({
    name: 'sendgate_upstream_token_refreshes_total',
    help: "Refreshes of v3's access token, by outcome",
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });
  readonly #reloads = new Counter({
    name: 'sendgate_config_reloads_total',
    help: 'Reloads of the configuration, by outcome: reloaded, unchanged or invalid',
    labelNames: ['outcome'] as const,
    registers: [this.registry],
  });
  readonly #isConfigValid = new Gauge({
    name: 'sendgate_config_last_reload_successful',
    help: '0 while the configuration has mistakes, so that an earlier one stays in use',
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
    help: 'Duration of one round trip to Redis',
    buckets: latencyBuckets,
    registers: [this.registry],
  });
  readonly #storageOperations = new Counter({
    name: 'sendgate_storage_operations_total',
    help: 'Files of pages read, written and removed in storage, by outcome',
    labelNames: ['operation', 'outcome'] as const,
    registers: [this.registry],
  });
  readonly #waits = new Histogram({
    name: 'sendgate_quota_wait_seconds',
    help: 'Time that calls wait for a permit, by team and urgency',
    labelNames: ['team', 'urgency'] as const,
    buckets: latencyBuckets,
    registers: [this.registry],
  });

  constructor({ version, gauges, responses, deaths, teams, lostLogBytes }: MetricSources) {
    new Gauge({
      name: 'sendgate_build_info',
      help: '1; the labels say which version of Sendgate runs, on which Node',
      labelNames: ['version', 'node'] as const,
      registers: [this.registry],
    }).set({ version, node: process.versions.node }, 1);
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
      help: 'Bytes of log lines dropped because stdout was not drained',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(lostLogBytes());
      },
    });
    new Counter({
      name: 'sendgate_worker_deaths_total',
      help: 'Worker processes that died and were replaced',
      registers: [this.registry],
      collect() {
        this.reset();
        this.inc(deaths());
      },
    });
    new Counter({
      name: 'sendgate_requests_total',
      help: 'Requests served, by route, status and team',
      labelNames: ['route', 'status', 'team'] as const,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { route, status, team, count } of responses())
          this.inc({ route, status: String(status), team }, count);
      },
    });
    new Counter({
      name: 'sendgate_pages_served_total',
      help: 'Pages served, by team, report and cache outcome',
      labelNames: ['team', 'report', 'cache'] as const,
      registers: [this.registry],
      collect() {
        this.reset();
        for (const { team, report, cache, count } of responses()) {
          if (report && cache) this.inc({ team, report, cache }, count);
        }
      },
    });
    this.registry.registerMetric(latencyHistogram(responses));
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

  /** Counts events from now on. */
  listen(events: Events): void {
    this.#isConfigValid.set(1);
    for (const outcome of ['reloaded', 'unchanged', 'needs_restart', 'invalid'] as const) {
      this.#reloads.labels(outcome).inc(0);
      events.on(`config.${outcome}`, () => {
        this.#reloads.labels(outcome).inc();
        if (outcome === 'invalid') this.#isConfigValid.set(0);
      });
    }
    events.on('config.mended', () => this.#isConfigValid.set(1));
    events.on('upstream.called', ({ report, team, outcome, seconds, waitedSeconds }) => {
      this.#upstreamCalls.labels(report, outcome, team).inc();
      this.#callWaits.labels(report, team).inc(waitedSeconds);
      this.#upstreamLatency.labels(report).observe(seconds);
    });
    events.on('upstream.odd_rows', ({ field, rows }) => this.#oddRows.labels(field).inc(rows));
    events.on('redis.asked', ({ script, outcome, seconds }) => {
      this.#redisCommands.labels(script, outcome).inc();
      this.#redisLatency.observe(seconds);
    });
    events.on('storage.asked', ({ operation, outcome }) => this.#storageOperations.labels(operation, outcome).inc());
    events.on('token.refresh_tried', ({ outcome }) => this.#refreshes.labels(outcome).inc());
    events.on('quota.waited', ({ team, urgency, seconds }) => this.#waits.labels(team, urgency).observe(seconds));
  }
}
