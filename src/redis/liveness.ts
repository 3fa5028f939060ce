/**
 * Tracks whether Redis and the other instances are up, from beats, failures and late replies. Sends nothing itself.
 */
import { type Failure, isForPerson } from './failures.ts';

export const beatMs = 400;
/** An instance without a beat for this long is gone. */
export const goneMs = 2_000;
export const beatsUntilGone = goneMs / beatMs;
const settledBeats = 5_000 / beatMs;
/** Late replies in a row before Redis counts as down: a single one may be this process's fault. */
const maxLate = 3;
/** Good beats in a row before Redis counts as up again. */
const convincing = 2;

/**
 * Called once per change, first when the state is known. While Redis is down, called again for each new reason that an
 * operator has to act on.
 *
 * @param instances last seen, this one among them
 */
export type Changed = (isUp: boolean, why: Failure | undefined, instances: number) => void;

/** The instances that share the quota, as one of them sees it. */
export interface Group {
  /** Their number, this one included. */
  readonly instances: number;
  /** This instance's index among them, from 0. */
  readonly rank: number;
}

/** Keeps the group over a restart. */
export interface GroupMemory {
  /** The group to start with, until Redis is up. */
  readonly last: Group;
  /** Called at every beat with the group that Redis says. */
  seen(group: Group): void;
}

export class Liveness {
  readonly #instance: string;
  readonly #changed: Changed;
  readonly #memory: GroupMemory;
  readonly #onUp: (() => void)[] = [];
  readonly #onDown: (() => void)[] = [];
  #group: Group;
  #isUp = false;
  #isClosed = false;
  /** Last reported state; undefined before the first report. */
  #reported: boolean | undefined;
  /** Reasons reported since Redis was last up. */
  readonly #reportedReasons = new Set<string>();
  #lastFailure: Failure = { reason: 'connection' };
  #late = 0;
  #goodBeats = 0;
  #beatsUp = 0;
  #session = 0;

  constructor(instance: string, changed: Changed, memory: GroupMemory) {
    this.#instance = instance;
    this.#changed = changed;
    this.#memory = memory;
    this.#group = memory.last;
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether Redis has been up long enough for every instance to report. */
  get isSettled(): boolean {
    return this.#isUp && this.#beatsUp > settledBeats;
  }

  /** Whether the state was reported, up or down. */
  get isKnown(): boolean {
    return this.#reported !== undefined;
  }

  /** Changes whenever a message may have been missed. */
  get session(): number {
    return this.#session;
  }

  /** As last seen. */
  get group(): Group {
    return this.#group;
  }

  onUp(listener: () => void): void {
    this.#onUp.push(listener);
  }

  onDown(listener: () => void): void {
    this.#onDown.push(listener);
  }

  /** A new subscription starts; messages before it were missed. */
  subscribed(): void {
    this.#session++;
  }

  answered(): void {
    this.#late = 0;
  }

  answeredLate(why: Failure): void {
    if (++this.#late >= maxLate) this.down(why);
  }

  /** Records a successful beat, with the instances that are alive. */
  beat(instances: readonly string[]): void {
    const isBack = !this.#isUp;
    if (isBack && ++this.#goodBeats < convincing && this.isKnown) return;
    this.#beatsUp = isBack ? 0 : this.#beatsUp + 1;
    // Right after an outage, others may not have reconnected yet.
    if (this.#beatsUp > beatsUntilGone || instances.length >= this.#group.instances) this.#see(instances);
    if (!isBack) return;
    this.#isUp = true;
    this.#session++;
    this.#report(true, undefined);
    for (const listener of this.#onUp) listener();
  }

  beatFailed(): void {
    this.#goodBeats = 0;
  }

  /** Marks Redis as down until two beats succeed. */
  down(why: Failure): void {
    this.#goodBeats = 0;
    this.#late = 0;
    if (!this.#isUp) this.failed(why);
    if (!this.#isUp || this.#isClosed) return;
    this.#isUp = false;
    this.#session++;
    this.#report(false, why);
    for (const listener of this.#onDown) listener();
  }

  /** Records a failure, and reports it while Redis is down. A closed connection says nothing about its cause. */
  failed(why: Failure): void {
    if (why.reason !== 'connection') this.#lastFailure = why;
    if (
      this.#reported === false &&
      !this.#isClosed &&
      isForPerson(why.reason) &&
      !this.#reportedReasons.has(why.reason)
    )
      this.#report(false, why);
  }

  /** Ends the wait at start; Redis counts as down if its state is still unknown. */
  startIsOver(): void {
    if (!this.isKnown) this.#report(false, this.#lastFailure);
  }

  /** Stops all reports. */
  closing(): void {
    this.#isClosed = true;
  }

  closed(): void {
    this.#isUp = false;
  }

  #see(instances: readonly string[]): void {
    // By name: Redis lists them by their last beat, which makes each the last one in what it reads.
    const rank = Math.max(0, [...instances].sort().indexOf(this.#instance));
    this.#group = { instances: Math.max(1, instances.length), rank };
    this.#memory.seen(this.#group);
  }

  #report(isUp: boolean, why: Failure | undefined): void {
    if (isUp && this.#reported) return;
    this.#reported = isUp;
    if (isUp) this.#reportedReasons.clear();
    else if (why) this.#reportedReasons.add(why.reason);
    this.#changed(isUp, why, this.#group.instances);
  }
}
