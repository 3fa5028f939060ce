/**
 * Usage by team and report, today and yesterday. A day's counts are those since start, less what they were when the day began.
 */
import type { Clock } from '../clock.ts';
import type { Events } from '../events.ts';
import { dayMs, endOfDay } from '../quota/day.ts';
import { accountName } from '../quota/day-shares.ts';
import type { DayCalls } from '../quota/day-status.ts';
import type { Quota } from '../quota/quota.ts';
import type { Kept } from '../storage/state-file.ts';
import type { DayUsage, ReportUsage } from './stored-usage.ts';
import type { Tallied } from './tally.ts';

interface Parts {
  readonly clock: Clock;
  readonly quota: Pick<Quota, 'days'>;
  /** All responses since start. */
  readonly responses: () => readonly Tallied[];
  /** Stores the counts across restarts. */
  readonly kept: Kept<readonly DayUsage[]>;
}

/** Longest time between two writes; a killed process loses the requests since the last one; calls of a team are in the day's count. */
const keepEveryMs = 10_000;

const kinds = ['calls', 'answered', 'hits', 'refused', 'failed'] as const;
type Counts = Omit<ReportUsage, 'report'>;

/** Counts by team, then by report. Needs no bound: teams are configured, and reports are a closed set. */
type Table = Map<string, Map<string, Counts>>;

export class Usage {
  readonly #parts: Parts;
  /** Calls of this process since start. */
  readonly #calls: Table = new Map();
  #day: string;
  /** What was counted since start when the day began: less than nothing, if an earlier process counted a part of the day. */
  #before: Table = new Map();
  #yesterday: DayUsage | undefined;
  #kept = '';
  #cancel: () => void = () => {};

  constructor(parts: Parts, events: Events) {
    this.#parts = parts;
    const [{ day }] = parts.quota.days();
    this.#day = day;
    for (const stored of parts.kept.stored ?? []) this.#restore(stored);
    events.on('upstream.called', ({ team, report }) => add(this.#calls, team, report, { ...nothing, calls: 1 }));
  }

  /** Returns today, and yesterday if anything is known of it. */
  read(): readonly DayUsage[] {
    const [today, ended] = this.#parts.quota.days();
    const counts = this.#sinceStart();
    if (today.day !== this.#day) {
      if (ended) this.#advance(today, ended, counts);
      else this.#correct(today);
    }
    const yesterday = this.#yesterday && isDayBefore(this.#yesterday.day, today.day) ? [this.#yesterday] : [];
    return [usageOf(today, minus(counts, this.#before)), ...yesterday];
  }

  /** Stores the counts regularly, and at the day's end: a request of the next day must not count for it. */
  start(): void {
    const { clock } = this.#parts;
    const now = clock.now();
    this.#cancel = clock.after(Math.min(keepEveryMs, endOfDay(now) - now), () => {
      this.#keep();
      this.start();
    });
  }

  /** Stores the last counts. */
  close(): void {
    this.#cancel();
    this.#keep();
  }

  /** Begins a day: the one that ended becomes yesterday. */
  #advance(today: DayCalls, ended: DayCalls, counts: Table): void {
    this.#yesterday = usageOf(ended, minus(counts, this.#before));
    this.#before = counts;
    this.#day = today.day;
  }

  /** The clock was wrong: what was counted meanwhile counts for this day, and so does what it had before. */
  #correct({ day }: DayCalls): void {
    this.#day = day;
    if (this.#yesterday?.day !== day) return;
    this.#restore(this.#yesterday);
    this.#yesterday = undefined;
  }

  #restore(stored: DayUsage): void {
    if (isDayBefore(stored.day, this.#day)) this.#yesterday = stored;
    if (stored.day !== this.#day) return;
    for (const { team, reports } of stored.teams) {
      for (const { report, ...counts } of reports) add(this.#before, team, report, counts, -1);
    }
  }

  #keep(): void {
    const usage = this.read();
    const text = JSON.stringify(usage);
    if (text === this.#kept) return;
    this.#kept = text;
    void this.#parts.kept.keep(usage);
  }

  #sinceStart(): Table {
    const table: Table = new Map();
    for (const [team, reports] of this.#calls) {
      for (const [report, counts] of reports) add(table, team, report, counts);
    }
    for (const { team, report = noReport, status, cache, count } of this.#parts.responses()) {
      const kind = refusals.has(status) ? 'refused' : status >= 400 ? 'failed' : 'answered';
      if (report === noReport && kind !== 'refused') continue; // The site, `/status`, unknown paths.
      const hits = kind === 'answered' && isHit(cache) ? count : 0;
      add(table, team, report, { ...nothing, [kind]: count, hits });
    }
    return table;
  }
}

/** The report of a request that was refused before its report was known. */
const noReport = '(none)';
const refusals: ReadonlySet<number> = new Set([401, 403, 421, 429, 503]);
const isHit = (cache: Tallied['cache']) => cache === 'fresh' || cache === 'stale' || cache === 'shared';

const nothing: Counts = { calls: 0, answered: 0, hits: 0, refused: 0, failed: 0 };

function add(table: Table, team: string, report: string, counts: Counts, sign: 1 | -1 = 1): void {
  const reports = table.get(team) ?? new Map<string, Counts>();
  table.set(team, reports);
  const sum = { ...(reports.get(report) ?? nothing) };
  for (const kind of kinds) sum[kind] += sign * counts[kind];
  reports.set(report, sum);
}

function minus(counts: Table, before: Table): Table {
  const table: Table = new Map();
  for (const [from, sign] of [[counts, 1] as const, [before, -1] as const]) {
    for (const [team, reports] of from) {
      for (const [report, one] of reports) add(table, team, report, one, sign);
    }
  }
  return table;
}

/** Combines the day's calls by team with what this instance counted. */
function usageOf({ day, perDay, teams }: DayCalls, counts: Table): DayUsage {
  const known = teams.map((one) => ({ ...one, team: one.team || accountName }));
  const others = [...counts.keys()].filter((name) => !known.some(({ team }) => team === name));
  const all = [...known, ...others.map((team) => ({ team, calls: 0, part: 0, cap: null }))];
  return {
    ...{ day, perDay },
    teams: all
      .map((one) => ({ ...one, reports: reportsOf(counts.get(one.team)) }))
      .filter(({ team, reports }) => known.some((one) => one.team === team) || reports.length > 0),
  };
}

function reportsOf(reports: ReadonlyMap<string, Counts> = new Map()): ReportUsage[] {
  return [...reports]
    .filter(([, counts]) => kinds.some((kind) => counts[kind] > 0))
    .map(([report, counts]) => ({ report, ...counts }))
    .sort((a, b) => (a.report < b.report ? -1 : 1));
}

const isDayBefore = (day: string, today: string) => Date.parse(today) - Date.parse(day) === dayMs;
