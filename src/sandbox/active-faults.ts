/**
 * Keeps the active faults, and selects those that strike a call.
 */
import type { Fault } from './fault.ts';

/** Properties of a call that faults match. */
interface Target {
  readonly kind: 'api' | 'token';
  /** The campaign's v2 id. */
  readonly campaign?: string | undefined;
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
}

interface Active {
  readonly fault: Fault;
  seen: number;
  struck: number;
}

export class ActiveFaults {
  #active: Active[] = [];

  add(fault: Fault): void {
    this.#active.push({ fault, seen: 0, struck: 0 });
  }

  clear(): void {
    this.#active = [];
  }

  /** Yields the faults that strike a call, and counts each one yielded. */
  *striking(target: Target): Generator<Fault> {
    for (const active of this.#active) {
      const { fault } = active;
      if (!isFor(fault, target) || active.struck >= (fault.times ?? Number.POSITIVE_INFINITY)) continue;
      active.seen++;
      if (active.seen % (fault.every ?? 1) !== 0) continue;
      active.struck++;
      yield fault;
    }
  }
}

function isFor(fault: Fault, { kind, campaign, path, query }: Target): boolean {
  return (
    (fault.target ?? 'api') === kind &&
    (fault.campaign === undefined || fault.campaign === campaign) &&
    (fault.path === undefined || path.includes(fault.path)) &&
    Object.entries(fault.query ?? {}).every(([name, text]) => query[name]?.includes(text))
  );
}
