/**
 * Runs several processes that answer callers (`server.workers`). The primary behind them owns the pages and calls Constant Contact,
 * so workers share one quota, circuit and set of tokens, and their misses coalesce.
 */
import cluster, { type Worker } from 'node:cluster';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';
import type { Front } from '../app/front.ts';
import type { SharedCounter } from '../callers/rate-limit/shared-counter.ts';
import { settlesWithin, sleep } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Events } from '../events.ts';
import type { LogDestination } from '../observability/log-destination.ts';
import type { PublicStatus } from '../observability/status.ts';
import { writeToStderr } from '../observability/stderr.ts';
import type { Tallied } from '../observability/tally.ts';
import { wholeLines } from '../observability/whole-lines.ts';
import { Answering } from './channel.ts';
import { type AnswerParts, answersFor, HeldSlots } from './primary-answers.ts';
import { PrimaryCounter } from './primary-counter.ts';
import { type FromPrimary, type FromWorker, type Order, saltVariable } from './protocol.ts';
import { WorkerReports } from './worker-reports.ts';

interface Parts extends Omit<AnswerParts, 'counter' | 'readStatus' | 'readConfig'> {
  readonly events: Events;
  readonly logDestination: LogDestination;
  readonly sharedCounter: SharedCounter | undefined;
  readonly partitionSalt: string;
  /** @param responses those of all workers */
  readonly readStatus: (responses: readonly Tallied[]) => PublicStatus;
}

/** Delay before a dead worker is replaced. */
const restartMs = 1_000;

const program = fileURLToPath(new URL('./main.js', import.meta.url));

export class WorkerPool implements Front {
  /** The configuration in use, which each worker starts with. */
  #config: Config;
  readonly #parts: Parts;
  readonly #answerParts: AnswerParts;
  readonly #running = new Set<Worker>();
  readonly #reports = new WorkerReports();
  #deaths = 0;
  #isDraining = false;

  constructor(config: Config, parts: Parts) {
    this.#config = config;
    this.#parts = parts;
    this.#answerParts = {
      ...parts,
      counter: parts.sharedCounter ?? new PrimaryCounter(parts.clock),
      readStatus: () => parts.readStatus(this.responses),
      readConfig: () => this.#config,
    };
    this.#invalidateCopiesOn(parts.events);
    cluster.setupPrimary({ exec: program, args: [], silent: true, serialization: 'advanced' });
  }

  get responses(): readonly Tallied[] {
    return this.#reports.responses;
  }

  get bytes(): number {
    return this.#reports.bytes;
  }

  get exportsRunning(): number {
    return this.#reports.exportsRunning;
  }

  get processes(): number {
    return this.#reports.listening;
  }

  get deaths(): number {
    return this.#deaths;
  }

  /** Resolves when all workers listen. Rejects when one cannot. */
  async listen(): Promise<string> {
    const urls = await Promise.all(Array.from({ length: this.#config.server.workers }, () => this.#start()));
    return urls[0] ?? '';
  }

  reconfigure(config: Config): void {
    this.#config = config;
    for (const worker of this.#running) sendTo(worker, { kind: 'config', config });
  }

  forget(campaign: string | undefined): void {
    this.#order({ purged: campaign });
  }

  reloadSecrets(): void {
    this.#order('reload');
  }

  async drain(): Promise<void> {
    this.#isDraining = true;
    const { clock } = this.#parts;
    const exits = Promise.all([...this.#running].map((worker) => once(worker, 'exit')));
    this.#order('drain');
    // A worker cuts off and reports what it cannot finish in time, which takes a moment longer.
    if (await settlesWithin(clock, this.#config.server.drainTimeoutMs + 1_000, exits)) return;
    for (const worker of this.#running) worker.process.kill('SIGKILL');
    await exits;
  }

  #invalidateCopiesOn(events: Events): void {
    events.on('generation.moved', ({ campaign }) => this.#order({ moved: campaign }));
    events.on('ids.learned', ({ ids }) => {
      for (const id of ids) this.#order({ moved: id });
    });
    // Invalidations by other instances were missed while Redis was down.
    events.on('redis.available', () => this.#order({ moved: undefined }));
  }

  #order(order: Order): void {
    for (const worker of this.#running) sendTo(worker, { kind: 'order', order });
  }

  /** Starts a worker. Resolves with its URL when it listens; rejects if it ends before. */
  #start(): Promise<string> {
    const { events, partitionSalt, logDestination } = this.#parts;
    const worker = cluster.fork({ [saltVariable]: partitionSalt });
    this.#running.add(worker);
    this.#reports.started(worker.id);
    passOutputOn(worker, logDestination);
    const slots = new HeldSlots();
    const answering = new Answering(
      answersFor(slots, this.#answerParts),
      (message) => sendTo(worker, message),
      (err) => events.emit('service.unexpected_error', { err }),
    );
    return new Promise((resolve, reject) => {
      worker.on('message', (message: FromWorker) => {
        if (message.kind === 'unbound') {
          reject(Object.assign(new Error('a worker cannot listen'), { code: message.code }));
          return void worker.process.kill('SIGKILL');
        }
        if (message.kind !== 'report') return answering.received(message);
        this.#reports.reported(worker.id, message.report);
        if (message.report.url !== undefined) resolve(message.report.url);
      });
      worker.once('exit', (code, signal) => {
        answering.close();
        slots.leaveAll();
        this.#running.delete(worker);
        const { url } = this.#reports.ended(worker.id);
        if (this.#isDraining) return;
        if (url === undefined) return reject(new Error(`a worker did not start: ${signal ?? code}`));
        this.#deaths++;
        events.emit('worker.died', { worker: worker.id, code, signal });
        void this.#replace();
      });
    });
  }

  async #replace(): Promise<void> {
    const { clock, events } = this.#parts;
    for (;;) {
      await sleep(clock, restartMs);
      if (this.#isDraining) return;
      try {
        await this.#start();
        return;
      } catch (err) {
        events.emit('worker.start_failed', { err });
      }
    }
  }
}

/** Sends a message. A worker may have died unnoticed: without the callback, the error would end the primary. */
function sendTo(worker: Worker, message: FromPrimary): void {
  if (worker.isConnected()) worker.send(message, () => {});
}

/** Passes a worker's output on to the primary's log, whole lines at a time. */
function passOutputOn(worker: Worker, logDestination: LogDestination): void {
  worker.process.stdout?.on(
    'data',
    wholeLines((lines) => logDestination.pass(lines)),
  );
  worker.process.stderr?.on('data', writeToStderr);
}
