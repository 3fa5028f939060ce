/**
 * How many exports of a team run at the same time.
 */
import { Problem } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';

export interface ExportPlaces {
  /**
   * Resolves with what gives the place back.
   *
   * @throws Problem `rate-limited` when the team's places are all taken, or all that one client may have
   */
  enter(exporter: Payer): Promise<() => void>;
}

/** With that many exports at a time, one is likely to end soon. */
const retryAfterSeconds = 10;

/** The places of all processes, in the one that has the pages. */
export class ExportPlacesHere implements ExportPlaces {
  readonly #perTeam: number;
  /** By team, the clients of the exports that run. */
  readonly #running = new Map<string, string[]>();

  constructor(perTeam: number) {
    this.#perTeam = perTeam;
  }

  async enter({ team, client = '' }: Payer): Promise<() => void> {
    const running = this.#running.get(team) ?? [];
    if (running.length >= this.#perTeam) throw refusal('All exports that your team may run at a time are running.');
    const own = running.filter((other) => other === client).length;
    // The last place is kept for another client; a single place is for anybody.
    if (own > 0 && own >= this.#perTeam - 1) {
      throw refusal('You run as many exports as one client may: the last one of your team is kept for another client.');
    }
    this.#running.set(team, [...running, client]);
    let isHeld = true;
    return () => {
      if (isHeld) this.#leave(team, client);
      isHeld = false;
    };
  }

  #leave(team: string, client: string): void {
    const running = [...(this.#running.get(team) ?? [])];
    running.splice(running.indexOf(client), 1);
    if (running.length > 0) this.#running.set(team, running);
    else this.#running.delete(team);
  }
}

const refusal = (detail: string) => new Problem('rate-limited', { retryAfterSeconds, detail });
