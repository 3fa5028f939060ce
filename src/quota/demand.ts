/**
 * Who wants a call, and how urgently.
 */

/** `interactive`: a caller waits. `refresh`: a stale page that is served, or one needed soon. `bulk`: whole walks. */
export type Urgency = 'interactive' | 'refresh' | 'bulk';

/** Most urgent first. */
export const urgencies: readonly Urgency[] = ['interactive', 'refresh', 'bulk'];

/** Who pays for a call. */
export interface Payer {
  /** Name of a team; empty for the account itself. */
  readonly team: string;
  /** Client of the team that caused it; undefined if unknown, or if the team counts as one. */
  readonly client?: string | undefined;
}

/** Most payers remembered per demand. */
const maxPayers = 32;

/** A demand for one call. Others may join it. The first payer pays, unless a more urgent one joins. */
export class Demand implements Payer {
  #payers: readonly Payer[];
  #urgency: Urgency;
  readonly #listeners = new Set<JoinListener>();

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

  /** All payers; the first one pays. */
  get payers(): readonly Payer[] {
    return this.#payers;
  }

  get urgency(): Urgency {
    return this.#urgency;
  }

  /** Adds a payer. The demand takes the higher urgency of the two, and the more urgent one pays. */
  join(payer: Payer, urgency: Urgency): void {
    const isMoreUrgent = urgencies.indexOf(urgency) < urgencies.indexOf(this.#urgency);
    const isKnown = this.#payers.some((known) => isSame(known, payer));
    if (isMoreUrgent) {
      this.#urgency = urgency;
      this.charge(payer);
    } else if (isKnown || this.#payers.length >= maxPayers) return;
    else this.#payers = [...this.#payers, payer];
    for (const listener of this.#listeners) listener(payer, urgency);
  }

  /** Moves this payer to the front. */
  charge(payer: Payer): void {
    this.#payers = [payer, ...this.#payers.filter((known) => !isSame(known, payer))].slice(0, maxPayers);
  }

  /** Calls `listener` when a payer joins. Returns the function that ends that. */
  onJoin(listener: JoinListener): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }
}

type JoinListener = (payer: Payer, urgency: Urgency) => void;

const isSame = (one: Payer, other: Payer) => one.team === other.team && one.client === other.client;
