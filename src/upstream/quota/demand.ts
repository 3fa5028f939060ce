/**
 * Who wants a call, and how much it matters when.
 */

/** `interactive`: somebody waits. `refresh`: a page that is served stale, or will be wanted next. `bulk`: whole walks. */
export type Urgency = 'interactive' | 'refresh' | 'bulk';

/** Most urgent first. */
export const urgencies: readonly Urgency[] = ['interactive', 'refresh', 'bulk'];

/** A wish for one call. It can become more urgent while it waits: when a caller comes to want what was only a refresh. */
export class Demand {
  #team: string;
  #urgency: Urgency;
  #onRaise: (() => void) | undefined;

  constructor(team: string, urgency: Urgency) {
    this.#team = team;
    this.#urgency = urgency;
  }

  get team(): string {
    return this.#team;
  }

  get urgency(): Urgency {
    return this.#urgency;
  }

  /** Makes it as urgent as `urgency`, on the account of the team that wants it so; never less urgent. */
  raise(team: string, urgency: Urgency): void {
    if (urgencies.indexOf(urgency) >= urgencies.indexOf(this.#urgency)) return;
    this.#team = team;
    this.#urgency = urgency;
    this.#onRaise?.();
  }

  /** Has `listener` told of the next raises, instead of whoever was told before. */
  onRaise(listener: (() => void) | undefined): void {
    this.#onRaise = listener;
  }
}
