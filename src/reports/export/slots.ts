/**
 * Slots bound how many exports a team runs at a time.
 */
import { Problem } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';

export interface ExportSlots {
  /**
   * Takes a slot, and resolves with the function that releases it; calling that twice is harmless.
   *
   * @throws Problem `rate-limited` when all slots of the team are taken, or all that one client may take
   */
  acquire(exporter: Payer): Promise<() => void>;
}

/** Some export of a full team is likely to end within this time. */
const retryAfterSeconds = 10;

/** The slots of all processes, held by the one that holds the cache. */
export class LocalExportSlots implements ExportSlots {
  readonly #perTeam: number;
  /** The clients of running exports, by team. */
  readonly #running = new Map<string, string[]>();

  constructor(perTeam: number) {
    this.#perTeam = perTeam;
  }

  async acquire({ team, client = '' }: Payer): Promise<() => void> {
    const running = this.#running.get(team) ?? [];
    if (running.length >= this.#perTeam) throw refusal('Your team is running as many exports as it may.');
    const own = running.filter((other) => other === client).length;
    // The last slot is kept for another client; a single slot is for anybody.
    if (own > 0 && own >= this.#perTeam - 1) {
      throw refusal(
        "You are running as many exports as one client may: your team's last slot is kept for another client.",
      );
    }
    this.#running.set(team, [...running, client]);
    let isHeld = true;
    return () => {
      if (isHeld) this.#release(team, client);
      isHeld = false;
    };
  }

  #release(team: string, client: string): void {
    const running = [...(this.#running.get(team) ?? [])];
    running.splice(running.indexOf(client), 1);
    if (running.length > 0) this.#running.set(team, running);
    else this.#running.delete(team);
  }
}

const refusal = (detail: string) => new Problem('rate-limited', { retryAfterSeconds, detail });
