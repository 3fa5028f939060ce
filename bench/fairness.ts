/**
 * `npm run bench:fairness`: a day of five teams under four policies, one with a greedy sixth team, and one with dashboards that
 * show all reports, on virtual time. It runs the cache and the quota that Sendgate runs; only the clock and the upstream are
 * simulated. `--short` leaves out the policies that no promise is about, and RESULTS.md alone.
 */
import { tagOf } from '../src/cache/page.ts';
import { PageCache } from '../src/cache/page-cache.ts';
import type { PageQuery } from '../src/model/page-query.ts';
import type { ParsedPage } from '../src/model/resource.ts';
import { Problem } from '../src/problems.ts';
import { Demand } from '../src/quota/demand.ts';
import { Quota } from '../src/quota/quota.ts';
import { ReadAhead } from '../src/reports/read-ahead.ts';
import { RefreshAhead } from '../src/reports/refresh-ahead.ts';
import { Campaign } from '../src/sandbox/campaign.ts';
import { firstPage, nextPage } from '../test/support/queries.ts';
import { Account, opening, Showing, tableOf, withTtl, worstMs } from './newsletters.ts';
import { promise, short } from './promises.ts';
import { replaceSection } from './results.ts';
import { VirtualClock } from './virtual-clock.ts';

const [secondMs, minuteMs, hourMs, dayMs] = [1_000, 60_000, 3_600_000, 86_400_000];
const midnight = Date.parse('2026-03-02T00:00:00Z');
/** An upstream takes its time, and not always the same. */
const latencyMs = (call: number) => 150 + ((call * 7_919) % 201);
/** A page is at least this much older than its arrival. */
const slowestMs = 350;
const pollMs = 30 * secondMs;

interface Policy {
  readonly name: string;
  /** How long pages are fresh, in seconds, and how long past that they are served. */
  readonly fresh: { readonly min: number; readonly max: number; readonly stale: number };
  readonly fair: boolean;
  readonly perDay?: number;
  /** Whether pages are read ahead. */
  readonly ahead: boolean;
  /** Whether a sixth team asks for a new page twice a second, from 00:00 on. */
  readonly greedy?: boolean;
  /** Whether the light teams' dashboards show newsletters with all of their reports, too. */
  readonly reports?: boolean;
  /** Whether every team is sure of its share of the day. */
  readonly parts?: boolean;
}

const ttl: Policy = {
  name: '60 s TTL, first come first served',
  fresh: { min: 60, max: 60, stale: 0 },
  fair: false,
  ahead: false,
};
const unlimitedTtl: Policy = { ...ttl, name: 'the same, without a daily limit', perDay: 1_000_000 };
const unfair: Policy = {
  name: "Sendgate's freshness, first come first served",
  fresh: { min: 60, max: 86_400, stale: 604_800 },
  fair: false,
  ahead: false,
};

const own: Policy = {
  name: 'Sendgate',
  fresh: { min: 60, max: 86_400, stale: 604_800 },
  fair: true,
  ahead: true,
};
const greedyDays: Policy[] = [
  { ...own, name: 'fair queue, the day first come first served', greedy: true, parts: false },
  { ...own, name: 'Sendgate', greedy: true },
];

/** When the exporter runs: from ten and from three on, for twenty minutes in all. */
const exports = [
  [10 * hourMs, 10.2 * hourMs],
  [15 * hourMs, 15.15 * hourMs],
] as const;
const isExporting = (now: number) => exports.some(([from, to]) => now - midnight >= from && now - midnight < to);

const lightTeams = ['web', 'bi', 'crm', 'mail'];
const exporter = 'exporter';
const greedy = 'greedy';

/** Forty campaigns, from an hour to a year old at the start of the day, evenly on a logarithmic scale. */
function makeCampaigns(): Map<string, Campaign> {
  const campaigns = new Map<string, Campaign>();
  for (let n = 0; n < 40; n++) {
    const ageMs = hourMs * (365 * 24) ** (n / 39);
    campaigns.set(String(n), new Campaign({ id: String(n), size: 12_000, newestMs: midnight - ageMs, spacingMs: 50 }));
  }
  campaigns.set(
    'auto',
    new Campaign({ id: 'auto', size: 5_000, newestMs: midnight - minuteMs, spacingMs: 3 * minuteMs }),
  );
  campaigns.set('nine', new Campaign({ id: 'nine', size: 0, newestMs: midnight }));
  return campaigns;
}

/** A page as the upstream has it at this moment; few sends of it are enough here. */
function pageOf(campaign: Campaign, query: PageQuery): ParsedPage {
  const [start = 0, size = 0] = query.kind === 'next' ? query.cursor.split('.').map(Number) : [0, query.limit];
  const end = Math.min(start + size, campaign.size);
  const shown = Math.min(end, start + 3);
  const sends = [];
  for (let index = start; index < shown; index++) {
    const { contactId, email, atMs } = campaign.at(index);
    sends.push({
      activity_type: 'EMAIL_SEND',
      campaign_id: campaign.options.id,
      contact_id: contactId,
      email_address: email,
      send_date: new Date(atMs).toISOString(),
    });
  }
  return { rows: sends, cursor: end < campaign.size ? `${end}.${size}` : undefined };
}

interface Tally {
  calls: number;
  callsBy: Map<string, number>;
  /** Calls for campaigns over a day old, of pages that dashboards poll. */
  callsForOld: number;
  refused: Map<string, number>;
  waits: Map<string, number[]>;
  /** Waits of the light teams while the exporter runs. */
  besideExporter: number[];
  /** Seconds until a send of the campaign of nine o'clock was in an answer, and until it was held. */
  seenAfter: number[];
  heldAfter: number[];
  /** The newsletters' pages, and what was asked for. */
  showing: Showing;
  asked: { at: number; query: PageQuery }[];
}

async function run(policy: Policy): Promise<Tally> {
  const clock = new VirtualClock(midnight);
  const teams = [...lightTeams, exporter, ...(policy.greedy ? [greedy] : [])];
  const campaigns = makeCampaigns();
  const account = new Account(midnight);
  const tally: Tally = {
    calls: 0,
    callsBy: new Map(),
    callsForOld: 0,
    refused: new Map(),
    waits: new Map(),
    besideExporter: [],
    seenAfter: [],
    heldAfter: [],
    showing: new Showing(account),
    asked: [],
  };
  const unseen: number[] = [];
  const unheld: number[] = [];
  const report = (pending: number[], newestMs: number, into: number[]) => {
    while ((pending[0] ?? Number.POSITIVE_INFINITY) <= newestMs)
      into.push((clock.now() - (pending.shift() ?? 0)) / 1000);
  };

  const quota = new Quota(
    {
      clock,
      teams: new Map((policy.parts ?? policy.fair) ? teams.map((team) => [team, { weight: 1 }]) : []),
      events: { waited: () => {}, passed: () => {}, teamSpent: () => {}, teamRefused: () => {} },
    },
    { perSecond: 4, perDay: policy.perDay ?? 10_000, reserve: 5, maxWaitMs: 8_000, maxQueue: 1_000 },
  );
  const pages = new PageCache(
    {
      clock,
      fetchPage: async (query, demand) => {
        const permit = await quota.take(policy.fair ? demand : new Demand('all', 'interactive'), 20_000);
        tally.calls++;
        tally.callsBy.set(demand.team, (tally.callsBy.get(demand.team) ?? 0) + 1);
        if (account.has(query)) return fetchNewsletter(query, permit);
        const campaign = campaigns.get(query.campaign) as Campaign;
        const polled = query.kind === 'first' && query.limit === 500;
        if (polled && clock.now() - campaign.options.newestMs > dayMs && campaign.options.size === 12_000)
          tally.callsForOld++;
        const page = pageOf(campaign, query);
        await new Promise<void>((resolve) => clock.after(latencyMs(tally.calls), resolve));
        permit.done(true);
        if (query.campaign === 'nine' && polled)
          report(unheld, Date.parse(String(page.rows[0]?.['send_date'])), tally.heldAfter);
        return page;
      },
      filtersSince: true,
      readRows: (_report, json) => JSON.parse(json),
      render: (_query, { rows, cursor }) => ({ json: JSON.stringify(rows), next: cursor }),
      // No caller gets a response: the content stays unencoded.
      encode: async ({ json, next, cursor }, etag = tagOf(json)) => {
        const content = Buffer.from(json);
        return { etag, lastModified: undefined, next, cursor, br: content, identityBytes: content.length };
      },
    },
    {
      maxBytes: 256 * 1024 * 1024,
      minFreshSeconds: policy.fresh.min,
      maxFreshSeconds: policy.fresh.max,
      staleIfErrorSeconds: policy.fresh.stale,
      notFoundSeconds: 60,
      maxViewBytes: 0,
    },
  );
  async function fetchNewsletter(query: PageQuery, permit: { done(isPage: boolean): void }): Promise<ParsedPage> {
    tally.showing.called(query);
    const page = account.page(query, clock.now());
    await new Promise<void>((resolve) => clock.after(latencyMs(tally.calls), resolve));
    permit.done(true);
    return page;
  }
  const isAmple = () => policy.ahead && quota.isAmple;
  const readAhead = new ReadAhead({ pages, isAmple }, 1);
  const refreshAhead = new RefreshAhead({ pages, clock, isAmple });

  function reportNewest(body: Buffer): void {
    const newest = JSON.parse(body.toString())[0]?.send_date;
    report(unseen, Date.parse(newest ?? ''), tally.seenAfter);
  }

  /** Counts a refusal. Returns after how many milliseconds the caller retries. */
  function refused(team: string, { retryAfterSeconds = 1 }: Problem): number {
    tally.refused.set(team, (tally.refused.get(team) ?? 0) + 1);
    return Math.min(retryAfterSeconds, 3600) * 1000;
  }

  /** Requests as a caller does. Returns the next cursor, or nothing on the last page or a refusal. */
  async function ask(
    team: string,
    query: PageQuery,
  ): Promise<{ next?: string | undefined; retryMs?: number; fetchedAt?: number }> {
    const started = clock.now();
    try {
      const found = await pages.get(query, { team });
      readAhead.answered(query, found.page, { team, client: team });
      refreshAhead.answered(query, found.page, { team });
      if (found.outcome.kind === 'forwarded') {
        const waits = tally.waits.get(team) ?? [];
        tally.waits.set(team, waits);
        waits.push((clock.now() - started) / 1000);
        if (team !== exporter && isExporting(started)) tally.besideExporter.push((clock.now() - started) / 1000);
      }
      if (query.campaign === 'nine') reportNewest(found.page.body.br);
      return { next: found.page.body.cursor, fetchedAt: found.page.fetchedAt - slowestMs };
    } catch (error) {
      if (!(error instanceof Problem)) throw error;
      return { retryMs: refused(team, error) };
    }
  }

  const every = (ms: number, firstAt: number, until: number, act: () => void) => {
    const tick = () => {
      act();
      if (clock.now() + ms < until) clock.after(ms, tick);
    };
    clock.after(firstAt - clock.now(), tick);
  };
  const end = midnight + dayMs;

  // Dashboards: every team polls ten separate campaigns and the two lively ones, all day.
  for (const [index, team] of lightTeams.entries()) {
    const watched = [...Array.from({ length: 10 }, (_, n) => String(index + 4 * n)), 'auto', 'nine'];
    for (const [n, campaign] of watched.entries()) {
      const offset = index * (pollMs / lightTeams.length) + n * 97;
      every(pollMs, midnight + offset, end, () => void ask(team, firstPage(campaign)));
    }
    // People: from half past nine to half past three, a new page every half minute.
    let page = 0;
    every(pollMs, midnight + 9.5 * hourMs + index * 7_000, midnight + 15.5 * hourMs, () => {
      page++;
      void ask(team, firstPage(String((page * 7 + index) % 40), 1 + (page % 499)));
    });
  }
  if (policy.reports) {
    for (const [index, team] of lightTeams.entries()) {
      for (const [n, query] of account.questions(index).entries()) {
        const firstAt = midnight + opening.from + index * minuteMs + n * opening.apartMs;
        every(opening.everyMs, firstAt, midnight + opening.until, () => {
          tally.asked.push({ at: clock.now(), query });
          void ask(team, query).then(
            ({ fetchedAt }) => fetchedAt !== undefined && tally.showing.show(query, fetchedAt, clock.now()),
          );
        });
      }
    }
  }
  if (policy.greedy) {
    let page = 0;
    every(secondMs / 2, midnight, end, () => {
      page++;
      void ask(greedy, nextPage(String(page % 40), `${page}.500`));
    });
  }
  // The autoresponder sends all day; one campaign of 20,000 goes out in the half hour from nine.
  every(3 * minuteMs, midnight, end, () => campaigns.get('auto')?.add(1, clock.now()));
  every(secondMs * 9, midnight + 9 * hourMs, midnight + 9.5 * hourMs, () => {
    campaigns.get('nine')?.add(100, clock.now());
    unseen.push(clock.now());
    unheld.push(clock.now());
  });
  // The exporter walks whole campaigns, twenty at a time, over and over, while it runs.
  for (const [from] of exports) {
    clock.after(from, () => {
      for (let n = 0; n < 20; n++) void walk(String(39 - n), 499);
    });
  }
  async function walk(campaign: string, limit: number): Promise<void> {
    let cursor: string | undefined;
    while (isExporting(clock.now())) {
      const { next, retryMs } = await ask(
        exporter,
        cursor === undefined ? firstPage(campaign, limit) : nextPage(campaign, cursor),
      );
      if (retryMs !== undefined) await new Promise<void>((resolve) => clock.after(retryMs, resolve));
      else if (next === undefined) return walk(campaign, limit - 1);
      else cursor = next;
    }
  }

  await clock.runUntil(end);
  return tally;
}

function percentile(values: readonly number[], percent: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor((sorted.length * percent) / 100))] ?? Number.NaN;
}
/** A dash where nothing was measured. */
const shown = (value: number, digits: number) => (Number.isNaN(value) ? '–' : value.toFixed(digits));
const three = (values: readonly number[]) =>
  [50, 95, 100].map((percent) => shown(percentile(values, percent), 0)).join(' / ');

const results: Tally[] = [];
const rows: string[] = [];
// No promise compares with the others.
for (const policy of short ? [unlimitedTtl, own] : [ttl, unlimitedTtl, unfair, own]) {
  const started = performance.now();
  const tally = await run(policy);
  results.push(tally);
  const wait = (values: readonly number[]) =>
    `${shown(percentile(values, 50), 2)} / ${shown(percentile(values, 95), 2)}`;
  const refused = [...tally.refused.values()].reduce((sum, count) => sum + count, 0);
  rows.push(
    `| ${policy.name} | ${tally.calls.toLocaleString('en')} | ${tally.callsForOld.toLocaleString('en')} | ${refused.toLocaleString('en')} | ${wait(tally.besideExporter)} | ${wait(tally.waits.get(exporter) ?? [])} | ${three(tally.heldAfter)} | ${three(tally.seenAfter)} |`,
  );
  console.log(rows.at(-1), `(${((performance.now() - started) / 1000).toFixed(1)} s)`);
  for (const team of [...lightTeams, exporter]) {
    console.log(`   ${team}: waits ${wait(tally.waits.get(team) ?? [])}, refused ${tally.refused.get(team) ?? 0}`);
  }
}

const lightSum = (of: Map<string, number>) => lightTeams.reduce((sum, team) => sum + (of.get(team) ?? 0), 0);
const [withoutLimit, ours] = [results[short ? 0 : 1], results.at(-1)] as [Tally, Tally];
promise(ours.callsForOld <= withoutLimit.callsForOld / 100, 'more than 1 % of the calls on campaigns over a day old');
promise(lightSum(ours.refused) === 0, 'a light team was refused');
const lightWaits = lightTeams.flatMap((team) => ours.waits.get(team) ?? []);
promise(percentile(lightWaits, 95) < 1, 'light teams wait');
// A minute, and the calls themselves: one that has just missed the send, and the one that brings it.
promise(Math.max(...ours.heldAfter) <= 60 + 2 * 0.35, 'sends are held too late');

const greedyRows: string[] = [];
const greedyTallies: Tally[] = [];
for (const policy of short ? greedyDays.slice(1) : greedyDays) {
  const tally = await run(policy);
  greedyTallies.push(tally);
  const numbers = [tally.callsBy.get(greedy) ?? 0, lightSum(tally.callsBy), lightSum(tally.refused)];
  greedyRows.push(`| ${policy.name} | ${numbers.map((number) => number.toLocaleString('en')).join(' | ')} |`);
  console.log(greedyRows.at(-1));
}
const shared = greedyTallies.at(-1) as Tally;
promise(lightSum(shared.refused) === 0, 'a light team was refused beside a greedy one');
promise(shared.calls >= 9_400, 'what the light teams leave is not lent');
const newsletters = await run({ ...own, reports: true });
const { showing, asked } = newsletters;
const ttls = withTtl(new Account(midnight), asked, (name) => worstMs(showing, name));
const reportRows = tableOf(showing, ttls);
const refusedOfLight = lightSum(newsletters.refused);
const dayLine = `With the rest of the day, Sendgate makes ${newsletters.calls.toLocaleString('en')} calls, and refuses ${refusedOfLight} requests of the light teams.`;
console.log([...reportRows, dayLine].join('\n'));
promise(refusedOfLight === 0, 'a light team was refused with all reports');
const callsOf = ({ calls }: Showing) => [...calls.values()].reduce((sum, count) => sum + count, 0);
promise(callsOf(showing) <= callsOf(ttls) / 2, 'a TTL cache needs fewer than twice as many calls');
if (!short) {
  replaceSection(
    'fairness',
    `<!-- fairness -->
## A day of five teams

Virtual time, 10,000 calls a day, 4 a second, 150 to 350 ms upstream: four teams' dashboards poll 42 campaigns every ${pollMs / 1000} s (from an hour
to a year old, an autoresponder, and one that goes out from 09:00 to 09:30), people open a new page every half
minute from 09:30 to 15:30, and an exporter walks twenty campaigns at once, over and over, for twelve minutes from 10:00 and nine
from 15:00. Waits are those of requests that were not answered from the cache, in seconds, p50 / p95, for the light teams while the
exporter runs; how late the sends of nine o'clock were held and seen by a dashboard is p50 / p95 / max.

| policy | calls | polls of old campaigns | refused | light teams wait beside the exporter | exporter waits | held after s | seen after s |
|---|---|---|---|---|---|---|---|
${rows.join('\n')}

The same day with a sixth team that asks for a new page twice a second from 00:00 on, as long as it gets one:

| policy | calls of the greedy team | calls of the light teams | requests of the light teams refused |
|---|---|---|---|
${greedyRows.join('\n')}

The same day with dashboards that show all reports. The account sends a newsletter a week to 12,000 contacts: forty of them, the latest today from
09:10 to 09:30. Sends end then; opens and unsubscribes go on for four weeks, clicks for three, forwards for two, bounces for two days. From 08:00 to 18:00 each team's
dashboard asks, every five minutes, for the directory, and for the counts and a page of each report of ten newsletters and of today's. How long after its arrival
a row was shown is in minutes, p50 / max, for today's newsletter and for older ones; of counts and directory, what they say of it. Beside Sendgate stands a cache
with a fixed TTL for each report: the longest lateness that Sendgate had for today's newsletter.

| | Sendgate: calls | shown after, today's | older | TTL: minutes | calls | shown after, today's | older |
|---|---|---|---|---|---|---|---|
${reportRows.join('\n')}

${dayLine}
A row that comes after a long silence is shown late by up to a tenth of that silence, which is why a silent newsletter costs next to nothing; the TTL cache pays for
all forty alike.

Reproduce with \`npm run bench:fairness\`.
`,
  );
}
