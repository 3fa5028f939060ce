/**
 * Slots limit how many exports a team runs at once.
 */
import { Problem } from '../../problems.ts';
import type { Payer } from '../../quota/demand.ts';

export interface ExportSlots {
  /**
   * Takes a slot. Resolves with the function that releases it, which may be called twice.
   *
   * @throws Problem `rate-limited` when the team or the client has no free slot
   */
  acquire(exporter: Payer): Promise<() => void>;
}

/** Time within which some export of a full team is likely to end. */
const retryAfterSeconds = 10;

/** The slots of all processes, kept in the process that holds the cache. */
export class LocalExportSlots implements ExportSlots {
  /** Running exports of one team. A lower number applies as exports end. */
  perTeam: number;
  /** The clients of running exports, by team. */
  readonly #running = new Map<string, string[]>();

  constructor(perTeam: number) {
    this.perTeam = perTeam;
  }

  async acquire({ team, client = '' }: Payer): Promise<() => void> {
    const running = this.#running.get(team) ?? [];
    if (running.length >= this.perTeam) throw refusal("All of your team's export slots are taken.");
    const own = running.filter((other) => other === client).length;
    // The last slot is reserved for another client, unless it is the only slot.
    if (own > 0 && own >= this.perTeam - 1) {
      throw refusal(
        "You have reached the limit of exports for one client: your team's last slot is kept for another client.",
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
