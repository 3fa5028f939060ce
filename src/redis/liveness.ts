/**
 * Whether Redis is up, and which instances are: what a beat, a failure and a late answer mean. It asks nothing itself.
 */
import { type Failure, isForPerson } from './failures.ts';

export const beatMs = 400;
/** An instance that has not been heard for this long is gone. */
export const goneMs = 2_000;
export const beatsUntilGone = goneMs / beatMs;
const settledBeats = 5_000 / beatMs;
/** Late answers in a row until Redis counts as down: a single one may be our own fault. */
const maxLate = 3;
/** Good beats in a row until Redis is believed again. */
const convincing = 2;

/**
 * Called once each way, first when it is known whether Redis is up; while it is down, again for each further reason that an
 * operator has to act on.
 *
 * @param instances last seen, this one among them
 */
export type Changed = (isUp: boolean, why: Failure | undefined, instances: number) => void;

export class Liveness {
  readonly #instance: string;
  readonly #changed: Changed;
  readonly #onUp: (() => void)[] = [];
  readonly #onDown: (() => void)[] = [];
  #instances: readonly string[];
  #isUp = false;
  #isClosed = false;
  /** What was reported last; undefined before the first report. */
  #reported: boolean | undefined;
  /** Reasons reported since Redis was last up. */
  readonly #reportedReasons = new Set<string>();
  #lastFailure: Failure = { reason: 'connection' };
  #late = 0;
  #goodBeats = 0;
  #beatsUp = 0;
  #session = 0;

  constructor(instance: string, changed: Changed) {
    this.#instance = instance;
    this.#changed = changed;
    this.#instances = [instance];
  }

  get isUp(): boolean {
    return this.#isUp;
  }

  /** Whether Redis has been up for long enough that all instances have said what they had to say. */
  get isSettled(): boolean {
    return this.#isUp && this.#beatsUp > settledBeats;
  }

  /** Whether it has been reported that Redis is up, or that it is not. */
  get isKnown(): boolean {
    return this.#reported !== undefined;
  }

  /** Changes whenever something that was published may have been missed. */
  get session(): number {
    return this.#session;
  }

  get instances(): number {
    return this.#instances.length;
  }

  get rank(): number {
    return Math.max(0, this.#instances.indexOf(this.#instance));
  }

  onUp(listener: () => void): void {
    this.#onUp.push(listener);
  }

  onDown(listener: () => void): void {
    this.#onDown.push(listener);
  }

  /** Messages are heard on a new subscription: those in between were missed. */
  subscribed(): void {
    this.#session++;
  }

  answered(): void {
    this.#late = 0;
  }

  answeredLate(why: Failure): void {
    if (++this.#late >= maxLate) this.down(why);
  }

  /** A beat went through, with the instances that are alive. */
  beat(instances: readonly string[]): void {
    const isBack = !this.#isUp;
    if (isBack && ++this.#goodBeats < convincing && this.isKnown) return;
    this.#beatsUp = isBack ? 0 : this.#beatsUp + 1;
    // Just after an outage the others may not be back yet.
    if (this.#beatsUp > beatsUntilGone || instances.length >= this.#instances.length) this.#instances = instances;
    if (!isBack) return;
    this.#isUp = true;
    this.#session++;
    this.#report(true, undefined);
    for (const listener of this.#onUp) listener();
  }

  beatFailed(): void {
    this.#goodBeats = 0;
  }

  /** Redis cannot be used from now on, until two beats go through. */
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

  /** Something went wrong; reported while Redis is down. A connection that closes says nothing new about what closed it. */
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

  /** The start waits no longer to see whether Redis is up. */
  startIsOver(): void {
    if (!this.isKnown) this.#report(false, this.#lastFailure);
  }

  /** Nothing is reported any more. */
  closing(): void {
    this.#isClosed = true;
  }

  closed(): void {
    this.#isUp = false;
  }

  #report(isUp: boolean, why: Failure | undefined): void {
    if (isUp && this.#reported) return;
    this.#reported = isUp;
    if (isUp) this.#reportedReasons.clear();
    else if (why) this.#reportedReasons.add(why.reason);
    this.#changed(isUp, why, this.instances);
  }
}
