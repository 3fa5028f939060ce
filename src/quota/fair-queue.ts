/**
 * Start-time fair queueing (Goyal, Vin and Cheng, 1996): serves flows in proportion to their weights, whatever the others
 * queue. Unused shares go to the flows that want them, and an idle flow saves nothing up. Members of a flow take turns, one
 * item each.
 */
interface Flow<T> {
  weight: number;
  /** Items by member; the first member is next. */
  readonly members: Map<string, Set<T>>;
  size: number;
  /** Start tag of its first item, in virtual time. */
  start: number;
}

/** What a flow has queued on other instances. */
interface Elsewhere {
  readonly name: string;
  readonly weight: number;
  readonly waiting: number;
}

/** Position of an item: its flow and member. */
export interface Spot {
  readonly flow: string;
  /** Weight of the flow, above 0; the last one given counts. */
  readonly weight: number;
  readonly member: string;
}

export class FairQueue<T> {
  readonly #flows = new Map<string, Flow<T>>();
  /** Start tag of the item that was served last. */
  #virtual = 0;
  #size = 0;

  get size(): number {
    return this.#size;
  }

  /** Number of items of a flow, or of one of its members. */
  sizeOf(name: string, member?: string): number {
    const flow = this.#flows.get(name);
    return (member === undefined ? flow?.size : flow?.members.get(member)?.size) ?? 0;
  }

  /** Non-empty flows, next in line first. */
  waiting(): { readonly name: string; readonly weight: number; readonly size: number }[] {
    const waiting = [...this.#flows].filter(([, { size }]) => size > 0);
    waiting.sort(([, one], [, other]) => one.start - other.start);
    return waiting.map(([name, { weight, size }]) => ({ name, weight, size }));
  }

  /** Spots with items, member by member. */
  spots(): Spot[] {
    return [...this.#flows].flatMap(([flow, { weight, members }]) =>
      [...members.keys()].map((member) => ({ flow, weight, member })),
    );
  }

  /** Items of a spot, in order. */
  itemsOf({ flow, member }: Spot): T[] {
    return [...(this.#flows.get(flow)?.members.get(member) ?? [])];
  }

  add({ flow: name, weight, member }: Spot, item: T): void {
    let flow = this.#flows.get(name);
    if (!flow) {
      flow = { weight, members: new Map(), size: 0, start: 0 };
      this.#flows.set(name, flow);
    }
    flow.weight = weight;
    if (flow.size === 0) flow.start = Math.max(this.#virtual, flow.start);
    const items = flow.members.get(member) ?? new Set<T>();
    flow.members.set(member, items.add(item));
    flow.size++;
    this.#size++;
  }

  remove({ flow: name, member }: Spot, item: T): boolean {
    const flow = this.#flows.get(name);
    const items = flow?.members.get(member);
    if (!flow || !items?.delete(item)) return false;
    if (items.size === 0) flow.members.delete(member);
    this.#shrink(flow);
    return true;
  }

  /** Removes and returns the next item of a flow. */
  nextOf(name: string): T | undefined {
    const flow = this.#flows.get(name);
    return flow && flow.size > 0 ? this.#takeFrom(flow) : undefined;
  }

  #takeFrom(flow: Flow<T>): T | undefined {
    const [first] = flow.members;
    if (!first) return undefined;
    const [member, items] = first;
    const [item] = items as Set<T> & Iterable<T>;
    items.delete(item as T);
    flow.members.delete(member);
    if (items.size > 0) flow.members.set(member, items);
    this.#virtual = flow.start;
    flow.start += 1 / flow.weight;
    this.#shrink(flow);
    return item;
  }

  /** Removes and returns everything. */
  clear(): T[] {
    const all = [...this.#flows.values()].flatMap(({ members }) =>
      [...members.values()].flatMap((items) => [...items]),
    );
    this.#flows.clear();
    this.#size = 0;
    this.#virtual = 0;
    return all;
  }

  /** Items of the same flow served before this one; without `item`, before a new one. */
  aheadInFlow({ flow: name, member }: Spot, item?: T): number {
    const flow = this.#flows.get(name);
    if (!flow) return 0;
    const own = flow.members.get(member) ?? new Set<T>();
    const position = item === undefined ? own.size : [...own].indexOf(item);
    let count = position;
    for (const [other, items] of flow.members) if (other !== member) count += Math.min(items.size, position + 1);
    return count;
  }

  /** Items served before this one if nothing else arrives; without `item`, before a new one. */
  ahead(spot: Spot, item?: T): number {
    const own = this.#flows.get(spot.flow);
    const inFlow = this.aheadInFlow(spot, item);
    const begins = own ? (own.size > 0 ? own.start : Math.max(this.#virtual, own.start)) : this.#virtual;
    const start = begins + inFlow / spot.weight;
    let count = inFlow;
    for (const flow of this.#flows.values()) {
      if (flow === own || flow.size === 0 || flow.start > start) continue;
      count += Math.min(flow.size, Math.floor((start - flow.start) * flow.weight) + 1);
    }
    return count;
  }

  /**
   * Like `ahead` for a new item, over this queue and other instances' together. Assumes that flows advance in proportion to
   * their weights.
   */
  aheadAmong(spot: Spot, elsewhere: readonly Elsewhere[]): number {
    if (elsewhere.length === 0) return this.ahead(spot);
    const all = new Map<string, { weight: number; waiting: number }>();
    const here = this.waiting().map(({ name, weight, size }) => ({ name, weight, waiting: size }));
    for (const { name, weight, waiting } of [...here, ...elsewhere]) {
      all.set(name, { weight, waiting: waiting + (all.get(name)?.waiting ?? 0) });
    }
    const ofFlow = (all.get(spot.flow)?.waiting ?? 0) - this.sizeOf(spot.flow);
    const own = this.aheadInFlow(spot) + ofFlow;
    all.delete(spot.flow);
    return [...all.values()].reduce(
      (ahead, other) => ahead + Math.min(other.waiting, Math.floor(((own + 1) * other.weight) / spot.weight)),
      own,
    );
  }

  /** Counts an item out. An empty queue forgets its tags. */
  #shrink(flow: Flow<T>): void {
    flow.size--;
    this.#size--;
    if (this.#size > 0) return;
    this.#flows.clear();
    this.#virtual = 0;
  }
}
