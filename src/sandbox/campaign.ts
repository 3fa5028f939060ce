/**
 * A campaign of any size. Its sends are computed, not stored, and are the same on every run.
 */
import type { OddKind } from './odd.ts';

/**
 * Forms of cursors that carry everything: `offset`; `time`, at which to go on; `long`, of 184 characters; and opaque ones
 * with `+`, `/`, `%` and padding, percent-encoded in links, raw (a `+` is a `+`), or form-encoded (a `+` is a space).
 */
export type CursorForm = 'offset' | 'time' | 'long' | 'opaque' | 'opaque-raw' | 'opaque-form';

/** Forms of links to the next page: the path of the call, with a host, another path, or only a query. */
export type LinkForm = 'relative' | 'absolute' | 'other-path' | 'query';

export interface CampaignOptions {
  readonly id: string;
  /** Sends at the start. */
  readonly size: number;
  /** Date of the newest send, in milliseconds. */
  readonly newestMs: number;
  /** Milliseconds between two sends. Default 1,000. */
  readonly spacingMs?: number;
  /** Default `offset`. */
  readonly cursors?: CursorForm;
  /** Default `relative`. */
  readonly links?: LinkForm;
  /**
   * Design of v3's links. `next` (default): the limit and a `next` cursor that carries everything. `cursor`: such a cursor
   * alone. `page`: the limit, and `next` with a page number that means nothing without it.
   */
  readonly design?: 'next' | 'cursor' | 'page';
  /** Extra parameter in v3's links, `name=value`. */
  readonly linkExtra?: string;
  /** Filter in v3's links that must come back with the cursor, `after_date=…`. */
  readonly linkFilter?: string;
  /** What the last page has instead of a link: nothing, null or an empty string, at some depth. */
  readonly lastPage?: 'missing' | 'null' | 'empty' | 'null-link' | 'empty-link';
  /** Odd rows, by index among the initial sends, newest first. */
  readonly odd?: Readonly<Record<number, OddKind>>;
  /** Whether dates have no zone; they are UTC. */
  readonly zoneless?: boolean;
  /** Whether v2's ids are JSON numbers, as in fixtures of some SDKs. */
  readonly numericIds?: boolean;
  /**
   * Order of the sends. Default newest first, as in the vendor's examples; `nearly` swaps neighbours. Cursors of form `time`
   * allow only the default.
   */
  readonly order?: 'oldest-first' | 'nearly';
  /** Most sends on a page, whatever `limit` says. */
  readonly pageSize?: number;
  /**
   * v3's status. Default `DONE`. Only done campaigns have statistics; only executing or done ones have sends, whatever `size`
   * says.
   */
  readonly status?: 'DRAFT' | 'SCHEDULED' | 'EXECUTING' | 'DONE';
  /** Whether counts are strings. */
  readonly textCounts?: boolean;
  /** Whether names of parts in v3's statistics contain dots (`em_opens.all.mobile`). */
  readonly dottedStats?: boolean;
  /** v3's role of the activity. Default `primary_email`. */
  readonly role?: string;
  /** v3: makes this another activity of the campaign with this v2 id, instead of a campaign. */
  readonly resendOf?: string;
  /** Sends that replace the newest computed ones, newest first. */
  readonly known?: readonly { readonly contactId: string; readonly email: string; readonly at: string }[];
}

export interface SandboxSend {
  readonly contactId: string;
  readonly email: string;
  readonly atMs: number;
  readonly odd?: OddKind | undefined;
}

const domains = ['example.com', 'example.org', 'mail.example.net', 'staff.example.com'];

/** Scatters 32-bit numbers one to one: contacts differ, and are irregular, so that pages compress like real ones. */
function scatter(n: number): number {
  let x = (n + 0x9e3779b9) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}

export class Campaign {
  readonly options: CampaignOptions;
  /** Dates of sends added while the sandbox runs, oldest first. */
  readonly #added: number[] = [];

  constructor(options: CampaignOptions) {
    this.options = options;
  }

  get size(): number {
    return this.options.size + this.#added.length;
  }

  /** Adds sends newer than all others, a millisecond apart, the first no earlier than `atMs`. */
  add(count: number, atMs: number): void {
    for (let i = 0; i < count; i++) {
      this.#added.push(Math.max(atMs, this.size === 0 ? atMs : this.at(0).atMs + 1));
    }
  }

  /** Returns the send at `index`, newest first. A send keeps its contact when newer ones arrive. */
  at(index: number): SandboxSend {
    const { size, newestMs, spacingMs = 1000, known = [], odd = {} } = this.options;
    const sequence = this.size - 1 - index;
    const added = this.#added[sequence - size];
    const example = added === undefined ? known[size - 1 - sequence] : undefined;
    const back = size - 1 - sequence;
    if (example)
      return { odd: odd[back], contactId: example.contactId, email: example.email, atMs: Date.parse(example.at) };
    return {
      odd: odd[back],
      contactId: String(scatter(sequence)),
      email: `${scatter(sequence ^ 0x5bd1e995).toString(36)}@${domains[scatter(sequence) % domains.length]}`,
      // The gap to the previous send varies up to twice the spacing, and is never 0.
      atMs: added ?? newestMs - back * spacingMs - (back === 0 ? 0 : scatter(back) % spacingMs),
    };
  }

  /** Returns the index, newest first, of the send at a position among the newest `total`. */
  indexOf(place: number, total: number): number {
    switch (this.options.order) {
      case 'oldest-first':
        return total - 1 - place;
      case 'nearly':
        return Math.min(place ^ 1, total - 1);
      default:
        return place;
    }
  }

  /** Formats a date as the API does. */
  dateOf(atMs: number): string {
    const date = new Date(atMs).toISOString();
    return this.options.zoneless ? date.slice(0, -1) : date;
  }

  /** Number of sends at the last scheduled update of the counts: the start of the newest send's day. */
  get sizeAtUpdate(): number {
    const { newestMs } = this.options;
    return this.size - this.countSince(newestMs - (newestMs % 86_400_000));
  }

  /** Number of sends not older than `sinceMs`. */
  countSince(sinceMs: number): number {
    return this.#search((atMs) => atMs >= sinceMs);
  }

  /** Index, newest first, of the first send not after `atMs`. */
  indexAt(atMs: number): number {
    return this.#search((at) => at > atMs);
  }

  /** Counts the newest sends that pass `test`, which is true up to some send and false beyond it. */
  #search(test: (atMs: number) => boolean): number {
    let low = 0;
    let high = this.size;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (test(this.at(middle).atMs)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
