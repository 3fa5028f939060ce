/**
 * Several processes that answer callers (`server.workers`), and one behind them that has the pages and asks Constant Contact:
 * the primary. So there is one quota, one breaker and one set of tokens, and a call is made once, whichever worker misses a page.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Pages } from '../cache/page-cache.ts';
import type { Counting } from '../callers/rate-limit/rate-limit.ts';
import type { SummarySource } from '../campaigns/summary.ts';
import { type Clock, settlesWithin, sleep } from '../clock.ts';
import type { Front } from '../compose/front.ts';
import type { Emit } from '../events.ts';
import type { LogDestination } from '../observability/log-destination.ts';
import type { PublicStatus } from '../observability/status.ts';
import { writeToStderr } from '../observability/stderr.ts';
import { type Tallied, Tally } from '../observability/tally.ts';
import { wholeLines } from '../observability/whole-lines.ts';
import type { Payer } from '../quota/demand.ts';
import type { ExportPlaces } from '../reports/export/slots.ts';
import { Answering, type FromPrimary, type FromWorker, saltVariable } from './channel.ts';
import type { AskedPage } from './copies.ts';
import { CountingHere } from './counting.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly logDestination: LogDestination;
  readonly pages: Pages;
  readonly summaries: SummarySource;
  readonly isAmple: () => boolean;
  readonly counting: Counting | undefined;
  readonly onSeen: (client: string) => void;
  readonly partitionSalt: string;
  readonly exportPlaces: ExportPlaces;
  readonly readStatus: () => PublicStatus;
}

interface Options {
  readonly workers: number;
  readonly drainTimeoutMs: number;
}

/** What a worker tells now and then, and at its end. */
export interface Report {
  readonly url?: string;
  readonly given: readonly Tallied[];
  readonly bytes: number;
  readonly exportsRunning: number;
}

/** What the primary tells its workers. */
export type Order = { readonly moved: string | undefined } | 'reload' | 'drain';

interface Running {
  readonly worker: Worker;
  report: Report;
  /** Of the exports that it runs, by number: what gives them back. */
  readonly places: Map<number, () => void>;
}

/** A worker that has died comes back after this. */
const restartMs = 1_000;

/** To a worker that has died and is not known to have, a message fails: without the callback, that would end the primary. */
function sendTo(worker: Worker, message: FromPrimary<Order>): void {
  if (worker.isConnected()) worker.send(message, () => {});
}

const program = fileURLToPath(new URL('./main.js', import.meta.url));

export class Workers implements Front {
  readonly #count: number;
  readonly #drainTimeoutMs: number;
  readonly #parts: Parts;
  readonly #counting: Counting;
  readonly #running = new Map<number, Running>();
  /** What workers that are gone had answered. */
  readonly #gone = new Tally();
  #lastPlace = 0;
  #deaths = 0;
  #isDraining = false;

  constructor({ workers, drainTimeoutMs }: Options, parts: Parts) {
    this.#count = workers;
    this.#drainTimeoutMs = drainTimeoutMs;
    this.#parts = parts;
    this.#counting = parts.counting ?? new CountingHere(parts.clock);
    cluster.setupPrimary({ exec: program, args: [], silent: true, serialization: 'advanced' });
  }

  get given(): readonly Tallied[] {
    return [...this.#gone.all, ...this.#reports.flatMap(({ given }) => given)];
  }

  get bytes(): number {
    return this.#reports.reduce((sum, { bytes }) => sum + bytes, 0);
  }

  get exportsRunning(): number {
    return this.#reports.reduce((sum, { exportsRunning }) => sum + exportsRunning, 0);
  }

  get processes(): number {
    return this.#reports.filter(({ url }) => url !== undefined).length;
  }

  get deaths(): number {
    return this.#deaths;
  }

  /** Resolves when all of them listen. Rejects when one of them cannot. */
  async listen(): Promise<string> {
    const urls = await Promise.all(Array.from({ length: this.#count }, () => this.#start()));
    return urls[0] ?? '';
  }

  /** Copies of a campaign, or of all, are not to be answered any more. */
  moved(campaign: string | undefined): void {
    this.#order({ moved: campaign });
  }

  reload(): void {
    this.#order('reload');
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    const { clock } = this.#parts;
    const exits = Promise.all([...this.#running.values()].map(({ worker }) => once(worker, 'exit')));
    this.#order('drain');
    // A worker cuts off what it cannot finish in this time, and says so: that takes a moment more.
    if (await settlesWithin(clock, this.#drainTimeoutMs + 1_000, exits)) return;
    for (const { worker } of this.#running.values()) worker.process.kill('SIGKILL');
    await exits;
  }

  get #reports(): Report[] {
    return [...this.#running.values()].map(({ report }) => report);
  }

  #order(order: Order): void {
    for (const { worker } of this.#running.values()) {
      sendTo(worker, { kind: 'news', news: order });
    }
  }

  #start(): Promise<string> {
    const { emit } = this.#parts;
    const worker = cluster.fork({ [saltVariable]: this.#parts.partitionSalt });
    const running: Running = { worker, report: { given: [], bytes: 0, exportsRunning: 0 }, places: new Map() };
    this.#running.set(worker.id, running);
    this.#passOn(worker);
    return new Promise((resolve, reject) => {
      const answering = new Answering(
        this.#answers(running),
        (message) => {
          sendTo(worker, message);
        },
        (err) => emit('service.unexpected_error', { err }),
      );
      worker.on('message', (message: FromWorker<Report>) => {
        if (message.kind !== 'news') return answering.received(message);
        running.report = message.news;
        if (message.news.url !== undefined) resolve(message.news.url);
      });
      worker.once('exit', (code, signal) => {
        answering.close();
        for (const leave of running.places.values()) leave();
        this.#running.delete(worker.id);
        this.#gone.include(running.report.given);
        const hasListened = running.report.url !== undefined;
        if (this.#isDraining) return;
        if (!hasListened) return reject(new Error(`a worker did not start: ${signal ?? code}`));
        this.#deaths++;
        emit('worker.died', { worker: worker.id, code, signal });
        void this.#startAgain();
      });
    });
  }

  async #startAgain(): Promise<void> {
    const { clock, emit } = this.#parts;
    for (;;) {
      await sleep(clock, restartMs);
      if (this.#isDraining) return;
      try {
        await this.#start();
        return;
      } catch (err) {
        emit('worker.start_failed', { err });
      }
    }
  }

  /** What it says goes where the primary's lines go, whole lines at a time. */
  #passOn(worker: Worker): void {
    const { logDestination } = this.#parts;
    worker.process.stdout?.on(
      'data',
      wholeLines((lines) => logDestination.pass(lines)),
    );
    worker.process.stderr?.on('data', writeToStderr);
  }

  #answers({ places }: Running) {
    const { clock, pages, summaries, isAmple, onSeen, exportPlaces, readStatus } = this.#parts;
    const given = async (asked: AskedPage, signal?: AbortSignal) => {
      const found = await pages.get(asked.query, { ...asked.ask, ...(signal && { signal }) });
      const { query } = asked;
      return { found, at: clock.monotonic(), goodForMs: pages.goodForMs(query), heldUnder: pages.heldUnder(query) };
    };
    return {
      page: given,
      prefetch: async ({ query, ask }: AskedPage) =>
        isAmple() ? given({ query, ask: { ...ask, urgency: 'refresh' } }).catch(() => undefined) : undefined,
      summary: ({ campaign, payer }: { campaign: string; payer: Payer }, signal: AbortSignal) =>
        summaries.get(campaign, payer, signal),
      count: ({ key, count, leftMs }: { key: string; count: number; leftMs: number }) => {
        onSeen(key);
        return this.#counting.add(key, count, leftMs);
      },
      enterExport: async (exporter: Payer) => {
        const leave = await exportPlaces.enter(exporter);
        places.set(++this.#lastPlace, leave);
        return this.#lastPlace;
      },
      leaveExport: (place: number) => {
        places.get(place)?.();
        places.delete(place);
      },
      status: () => readStatus(),
    };
  }
}
