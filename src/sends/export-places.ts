/**
 * How many exports of a team run at the same time.
 */
import { Problem } from '../problems.ts';

export interface ExportPlaces {
  /**
   * Resolves with what gives the place back.
   *
   * @throws Problem `rate-limited` when the team's places are all taken
   */
  enter(team: string): Promise<() => void>;
}

/** With so many exports at a time, one is likely to end soon. */
const retryAfterSeconds = 10;

/** The places of all processes, in the one that has the pages. */
export class ExportPlacesHere implements ExportPlaces {
  readonly #perTeam: number;
  readonly #taken = new Map<string, number>();

  constructor(perTeam: number) {
    this.#perTeam = perTeam;
  }

  async enter(team: string): Promise<() => void> {
    const taken = this.#taken.get(team) ?? 0;
    if (taken >= this.#perTeam) {
      const detail = 'So many exports of this team run that another one has to wait.';
      throw new Problem('rate-limited', { retryAfterSeconds, detail });
    }
    this.#taken.set(team, taken + 1);
    return () => {
      const left = (this.#taken.get(team) ?? 0) - 1;
      if (left > 0) this.#taken.set(team, left);
      else this.#taken.delete(team);
    };
  }
}
