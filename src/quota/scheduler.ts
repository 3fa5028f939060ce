/**
 * Queues demands until they get a permit, in fair order, each for a bounded time.
 */
import type { Clock } from '../clock.ts';
import type { Problem } from '../problems.ts';
import type { Now } from './day.ts';
import type { DayBudget } from './day-budget.ts';
import type { Demand, Payer, Urgency } from './demand.ts';
import { FairQueue, type Spot } from './fair-queue.ts';
import { flowOf, teamOf, urgencyOf, weightOf } from './flows.ts';
import { type Answer, permit as endsOnce, type GrantedPermit, type Permit, type Permits } from './permits.ts';
import { busy, QueuedDemand } from './queued-demand.ts';

export interface SchedulerOptions {
  /** Longest time that a caller queues for a permit, in milliseconds; longer waits are refused at once. */
  readonly maxWaitMs: number;
  /** Most queued demands per team and urgency. */
  readonly maxQueue: number;
}

interface Parts {
  readonly clock: Clock;
  readonly day: DayBudget;
  /** The current source of permits, which changes when Redis goes down or comes back. */
  readonly permits: () => Permits;
  readonly teamWeight: (team: string) => number;
  /** Called when a wait ends, with any outcome. */
  readonly waited: (team: string, urgency: Urgency, seconds: number) => void;
  /** Called when a call is granted that other instances do not see. */
  readonly grantedLocally: () => void;
}

export class Scheduler {
  readonly #parts: Parts;
  #options: SchedulerOptions;
  readonly #queue = new FairQueue<QueuedDemand>();
  #isAsking = false;
  #askAgain = false;
  #isClosed = false;
  #next: { readonly at: number; readonly cancel: () => void } | undefined;

  constructor(parts: Parts, options: SchedulerOptions) {
    this.#parts = parts;
    this.#options = options;
  }

  get waiting(): number {
    return this.#queue.size;
  }

  waitingOf(urgency: Urgency, team: string): number {
    return this.#queue.sizeOf(flowOf(urgency, team));
  }

  /** Changes the bounds; for demands that arrive from now on. Queued ones keep their place and their time. */
  reconfigure(options: SchedulerOptions): void {
    this.#options = options;
    this.serve();
  }

  /** See `Quota.take`. */
  async take(demand: Demand, waitMs: number, signal?: AbortSignal): Promise<GrantedPermit> {
    signal?.throwIfAborted();
    if (!this.#charge(demand)) throw this.#parts.day.refusal(demand, demand.urgency, this.#now());

    const { maxWaitMs } = this.#options;
    const longestMs = demand.urgency === 'bulk' ? waitMs : Math.min(waitMs, maxWaitMs);
    const expectedMs = this.#expectedMs(demand);
    if (expectedMs > longestMs || this.#isFullFor(demand)) throw busy(expectedMs);
    return this.#wait(demand, longestMs, signal);
  }

  #wait(demand: Demand, longestMs: number, signal: AbortSignal | undefined): Promise<GrantedPermit> {
    const { clock, waited } = this.#parts;
    const { maxWaitMs } = this.#options;
    const queued = new QueuedDemand(demand, this.#spotOf(demand, demand), {
      ...{ clock, signal },
      onLeave: (queued, reason) => {
        this.#queue.remove(queued.spot, queued);
        queued.refuse(reason ?? busy(this.#expectedMs(demand)));
        this.serve();
      },
      onOver: (seconds) => waited(demand.team, demand.urgency, seconds),
    });
    queued.leaveIn(longestMs);
    queued.onJoin((payer, urgency) => {
      // A caller who joins cannot wait as long as a bulk walk.
      if (urgency !== 'bulk' && longestMs > maxWaitMs) queued.leaveIn(maxWaitMs);
      this.#joined(queued, payer);
    });
    this.#queue.add(queued.spot, queued);
    this.serve();
    return queued.permit;
  }

  /** Refuses all queued demands: their calls would fail. */
  refuseWaiting(problem: Problem): void {
    for (const queued of this.#queue.clear()) queued.refuse(problem);
    this.serve();
  }

  /** Asks for permits one by one until none is granted. */
  readonly serve = (): void => {
    this.#askAgain = true;
    if (!this.#isAsking) void this.#askWhileGranted();
  };

  /** Asks again in `ms` milliseconds, unless an earlier time is set. */
  serveIn(ms: number): void {
    const { clock } = this.#parts;
    const at = clock.monotonic() + ms;
    if (this.#isClosed || ms === Number.POSITIVE_INFINITY || (this.#next && this.#next.at <= at)) return;
    this.#next?.cancel();
    const cancel = clock.after(ms, () => {
      this.#next = undefined;
      this.serve();
    });
    this.#next = { at, cancel };
  }

  close(): void {
    this.#isClosed = true;
    this.#next?.cancel();
  }

  async #askWhileGranted(): Promise<void> {
    this.#isAsking = true;
    try {
      while (this.#askAgain) {
        this.#askAgain = false;
        const permits = this.#parts.permits();
        if (permits.decidesDay) this.#refuseSpent();
        const asked = permits.ask(this.#flows());
        // A permit granted synchronously shortens the queue before the next demand arrives.
        const answer = asked instanceof Promise ? await asked : asked;
        const waitMs = this.#use(answer, permits);
        if (waitMs > 0 && !this.#askAgain) this.serveIn(waitMs);
        else this.#askAgain = true;
      }
    } finally {
      this.#isAsking = false;
    }
  }

  /** Returns the milliseconds until the next try. */
  #use(answer: Answer, { decidesDay }: Permits): number {
    if (answer.kind === 'granted') {
      this.#granted(answer.permit);
      return 0;
    }
    if (decidesDay) this.#refuseSpent();
    return answer.ms;
  }

  #granted(permit: Permit): void {
    const { day, clock, grantedLocally } = this.#parts;
    const queued = this.#queue.nextOf(permit.flow);
    if (!queued || !(permit.isCounted || this.#charge(queued.demand))) {
      permit.giveBack();
      if (queued) this.#refuse(queued);
      return;
    }
    if (permit.isCounted) day.charge(queued.demand);
    else {
      day.spend(queued.demand, clock.now());
      grantedLocally();
    }
    const { team, client } = queued.demand;
    const { flow, isCounted } = permit;
    queued.grant(
      endsOnce(
        { flow, isCounted },
        {
          done: (gotPage) => {
            permit.done(gotPage);
            this.serve();
          },
          giveBack: () => {
            permit.giveBack();
            if (!isCounted) day.giveBack(team);
            day.discharge({ team, client });
            this.serve();
          },
        },
      ),
    );
  }

  #flows() {
    const { day } = this.#parts;
    return this.#queue
      .waiting()
      .map(({ name, weight, size }) => ({ name, weight, waiting: size, kept: day.keptFrom(urgencyOf(name)) }));
  }

  #now(): Now {
    const { clock } = this.#parts;
    return { wall: clock.now(), monotonic: clock.monotonic() };
  }

  /** Charges the first payer who may pay. Returns false if none may. */
  #charge(demand: Demand): boolean {
    const { day } = this.#parts;
    const now = this.#now();
    const payer = demand.payers.find((one) => day.allows(one, demand.urgency, now));
    if (payer && payer !== demand.payers[0]) demand.charge(payer);
    return payer !== undefined;
  }

  #spotOf({ urgency }: Demand, { team, client = '' }: Payer): Spot {
    return {
      flow: flowOf(urgency, team),
      weight: weightOf(urgency, this.#parts.teamWeight(team)),
      member: client,
    };
  }

  /** Whether a flow's queue is full. While one client fills it, its last position stays free for another. */
  #isFullFor(demand: Demand): boolean {
    const { flow, member } = this.#spotOf(demand, demand);
    const waiting = this.#queue.sizeOf(flow);
    const hasAll = member !== '' && waiting > 0 && this.#queue.sizeOf(flow, member) === waiting;
    return waiting >= this.#options.maxQueue - (hasAll ? 1 : 0);
  }

  #expectedMs(demand: Demand): number {
    const permits = this.#parts.permits();
    return permits.expectedMs(this.#queue.aheadAmong(this.#spotOf(demand, demand), permits.elsewhere));
  }

  /** Handles a payer who joins. If its own flow would be served sooner, the demand moves there and it pays. */
  #joined(queued: QueuedDemand, payer: Payer): void {
    const { demand, spot } = queued;
    const its = this.#spotOf(demand, payer);
    const isSooner = () => this.#queue.ahead(its) < this.#queue.ahead(spot, queued);
    if (demand.payers[0] !== payer && isSooner() && this.#parts.day.allows(payer, demand.urgency, this.#now())) {
      demand.charge(payer);
    }
    const present = this.#spotOf(demand, demand);
    if ((present.flow === spot.flow && present.member === spot.member) || !this.#queue.remove(spot, queued)) return;
    queued.spot = present;
    this.#queue.add(present, queued);
    this.serve();
  }

  /** Refuses queued demands with a spent share, unless another of their payers may pay. */
  #refuseSpent(): void {
    for (const spot of this.#queue.spots()) {
      const payer = { team: teamOf(spot.flow), client: spot.member || undefined };
      if (this.#parts.day.allows(payer, urgencyOf(spot.flow), this.#now())) continue;
      for (const queued of this.#queue.itemsOf(spot)) {
        this.#queue.remove(spot, queued);
        if (this.#charge(queued.demand)) {
          queued.spot = this.#spotOf(queued.demand, queued.demand);
          this.#queue.add(queued.spot, queued);
        } else this.#refuse(queued);
      }
    }
  }

  #refuse(queued: QueuedDemand): void {
    const { demand } = queued;
    queued.refuse(this.#parts.day.refusal(demand, demand.urgency, this.#now()));
  }
}
