/**
 * Start-time fair queueing (Goyal, Vin and Cheng, 1996): flows get turns in proportion to their weights, whatever is
 * queued in the others; an unused share goes to whoever wants it; and one that has been idle has nothing saved up.
 */
interface Flow<T> {
  readonly weight: number;
  readonly items: Set<T>;
  /** Virtual time at which its first item is due. */
  start: number;
}

export class FairQueue<T> {
  readonly #flows = new Map<string, Flow<T>>();
  /** Start tag of the item that was served last. */
  #virtual = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  sizeOf(flow: string): number {
    return this.#flows.get(flow)?.items.size ?? 0;
  }

  /** The flows in which something waits. */
  waiting(): { readonly name: string; readonly weight: number; readonly size: number }[] {
    const all = [...this.#flows].map(([name, { weight, items }]) => ({ name, weight, size: items.size }));
    return all.filter(({ size }) => size > 0);
  }

  /** @param weight of the flow, above 0; the first one given counts */
  add(name: string, weight: number, item: T): void {
    let flow = this.#flows.get(name);
    if (!flow) {
      flow = { weight, items: new Set(), start: 0 };
      this.#flows.set(name, flow);
    }
    if (flow.items.size === 0) flow.start = Math.max(this.#virtual, flow.start);
    flow.items.add(item);
    this.#size++;
  }

  remove(name: string, item: T): boolean {
    const removed = this.#flows.get(name)?.items.delete(item) ?? false;
    if (removed) this.#shrink();
    return removed;
  }

  /** Takes out the item whose turn it is. */
  next(): T | undefined {
    let first: Flow<T> | undefined;
    for (const flow of this.#flows.values()) {
      if (flow.items.size > 0 && (!first || flow.start < first.start)) first = flow;
    }
    return first && this.#takeFrom(first);
  }

  /** Takes out the first item of a flow whose turn it is by somebody else's reckoning. */
  nextOf(name: string): T | undefined {
    const flow = this.#flows.get(name);
    return flow && flow.items.size > 0 ? this.#takeFrom(flow) : undefined;
  }

  #takeFrom(flow: Flow<T>): T | undefined {
    const [item] = flow.items as Set<T> & Iterable<T>;
    flow.items.delete(item as T);
    this.#virtual = flow.start;
    flow.start += 1 / flow.weight;
    this.#shrink();
    return item;
  }

  /** Takes everything out. */
  clear(): T[] {
    const all = [...this.#flows.values()].flatMap(({ items }) => [...items]);
    this.#flows.clear();
    this.#size = 0;
    this.#virtual = 0;
    return all;
  }

  /** How many items would be served before one that is added to `name` now, if none came after it. */
  ahead(name: string, weight: number): number {
    const own = this.#flows.get(name);
    const queued = own?.items.size ?? 0;
    const start =
      (own ? (queued > 0 ? own.start : Math.max(this.#virtual, own.start)) : this.#virtual) + queued / weight;
    let count = queued;
    for (const flow of this.#flows.values()) {
      if (flow === own || flow.items.size === 0 || flow.start > start) continue;
      count += Math.min(flow.items.size, Math.floor((start - flow.start) * flow.weight) + 1);
    }
    return count;
  }

  /** Once nobody waits, nobody is owed anything. */
  #shrink(): void {
    this.#size--;
    if (this.#size > 0) return;
    this.#flows.clear();
    this.#virtual = 0;
  }
}
