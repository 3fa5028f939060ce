/**
 * Counts what peers hold of something that has a bound for all of them and one for each.
 */

export interface PlaceLimits {
  readonly all: number;
  readonly perPeer: number;
}

export class Places {
  readonly #limits: PlaceLimits;
  readonly #byPeer = new Map<string, number>();
  #taken = 0;

  constructor(limits: PlaceLimits) {
    this.#limits = limits;
  }

  /** Returns the limit that leaves no place. @param peer undefined for one without a limit, such as a trusted proxy */
  limitFor(peer: string | undefined): 'all' | 'peer' | undefined {
    if (this.#taken >= this.#limits.all) return 'all';
    return peer !== undefined && (this.#byPeer.get(peer) ?? 0) >= this.#limits.perPeer ? 'peer' : undefined;
  }

  take(peer: string | undefined): void {
    this.#taken++;
    if (peer !== undefined) this.#byPeer.set(peer, (this.#byPeer.get(peer) ?? 0) + 1);
  }

  release(peer: string | undefined): void {
    this.#taken--;
    if (peer === undefined) return;
    const left = (this.#byPeer.get(peer) ?? 0) - 1;
    if (left > 0) this.#byPeer.set(peer, left);
    else this.#byPeer.delete(peer);
  }
}
