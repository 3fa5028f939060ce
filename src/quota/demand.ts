/**
 * Who wants a call, and how much it matters when.
 */

/** `interactive`: somebody waits. `refresh`: a page that is served stale, or will be wanted next. `bulk`: whole walks. */
export type Urgency = 'interactive' | 'refresh' | 'bulk';

/** Most urgent first. */
export const urgencies: readonly Urgency[] = ['interactive', 'refresh', 'bulk'];

/** On whose account a call is made. */
export interface Payer {
  /** Name of a team; an empty text is the account alone. */
  readonly team: string;
  /** The one of the team's clients that caused it; undefined where that is not known, or the team counts as one. */
  readonly client?: string | undefined;
}

/** Payers of one demand that are remembered. */
const maxPayers = 32;

/** A demand for one call, of one payer at first, then of all who join it. The first pays, or the most urgent. */
export class Demand implements Payer {
  #payers: readonly Payer[];
  #urgency: Urgency;
  #onJoin: ((payer: Payer, urgency: Urgency) => void) | undefined;

  constructor(team: string, urgency: Urgency, client?: string) {
    this.#payers = [{ team, client }];
    this.#urgency = urgency;
  }

  get team(): string {
    return this.#payers[0]?.team ?? '';
  }

  get client(): string | undefined {
    return this.#payers[0]?.client;
  }

  /** All who want it; the one that pays is the first. */
  get payers(): readonly Payer[] {
    return this.#payers;
  }

  get urgency(): Urgency {
    return this.#urgency;
  }

  /** Another payer joins: the demand becomes as urgent as the more urgent of the two, who pays. */
  join(payer: Payer, urgency: Urgency): void {
    const isMoreUrgent = urgencies.indexOf(urgency) < urgencies.indexOf(this.#urgency);
    const isKnown = this.#payers.some((known) => isSame(known, payer));
    if (isMoreUrgent) {
      this.#urgency = urgency;
      this.charge(payer);
    } else if (isKnown || this.#payers.length >= maxPayers) return;
    else this.#payers = [...this.#payers, payer];
    this.#onJoin?.(payer, urgency);
  }

  /** Makes this one the payer. */
  charge(payer: Payer): void {
    this.#payers = [payer, ...this.#payers.filter((known) => !isSame(known, payer))].slice(0, maxPayers);
  }

  /** Calls `listener` when somebody joins, instead of the listener before. */
  onJoin(listener: ((payer: Payer, urgency: Urgency) => void) | undefined): void {
    this.#onJoin = listener;
  }
}

const isSame = (one: Payer, other: Payer) => one.team === other.team && one.client === other.client;
