/**
 * A campaign of any size whose sends are computed, not stored: the same on every run.
 */
import type { OddKind } from './odd.ts';

/**
 * The form of cursors that carry everything: an offset; the time at which to go on; the one of 184 characters; or opaque ones with
 * `+`, `/`, `%` and padding, which stand in links percent-encoded, raw (a `+` is a `+`), or as in a form (a `+` is a space).
 */
export type CursorForm = 'offset' | 'time' | 'long' | 'opaque' | 'opaque-raw' | 'opaque-form';

/** How links to the next page are written: with the path of the call, a host, another path, or as a query alone. */
export type LinkForm = 'relative' | 'absolute' | 'other-path' | 'query';

export interface CampaignOptions {
  readonly id: string;
  /** Sends from the start. */
  readonly size: number;
  /** Instant of the newest send, in milliseconds. */
  readonly newestMs: number;
  /** Milliseconds between two sends. */
  readonly spacingMs?: number;
  /** An offset without it. */
  readonly cursors?: CursorForm;
  /** Relative without it. */
  readonly links?: LinkForm;
  /**
   * v3's links: `next` (as without it) beside the page size, with a cursor that carries everything; `cursor` alone, with one
   * that does; `page`: the page size beside `next` with a page's number, which means nothing without it.
   */
  readonly design?: 'next' | 'cursor' | 'page';
  /** Another parameter in v3's links, `name=value`. */
  readonly linkExtra?: string;
  /** A filter in v3's links that has to come back beside the cursor, `after_date=…`. */
  readonly linkFilter?: string;
  /** What the last page has in place of a link: nothing at all, or null or an empty text at some depth. */
  readonly lastPage?: 'missing' | 'null' | 'empty' | 'null-link' | 'empty-link';
  /** Rows that are odd, by their index among the sends from the start, newest first. */
  readonly odd?: Readonly<Record<number, OddKind>>;
  /** Dates without a zone: they are UTC. */
  readonly zoneless?: boolean;
  /** v2's ids as JSON numbers, as some of the SDKs' fixtures have them. */
  readonly numericIds?: boolean;
  /**
   * In which order sends come: newest first without it, as in the vendor's examples; `nearly` has neighbours change places.
   * With cursors of a time there is no other order.
   */
  readonly order?: 'oldest-first' | 'nearly';
  /** Most sends on a page, whatever `limit` says. */
  readonly pageSize?: number;
  /**
   * v3's; done without it. Only what is done has statistics, and what is not executing or done has no sends, whatever `size`
   * says.
   */
  readonly status?: 'DRAFT' | 'SCHEDULED' | 'EXECUTING' | 'DONE';
  /** Counts as texts. */
  readonly textCounts?: boolean;
  /** v3's statistics have dots in the names of parts (`em_opens.all.mobile`). */
  readonly dottedStats?: boolean;
  /** v3's, of the activity; `primary_email` without it. */
  readonly role?: string;
  /** v3: it is no campaign, but one more activity of the one that v2 knows by this id. */
  readonly resendOf?: string;
  /** Sends that stand in the place of the newest computed ones, newest first. */
  readonly known?: readonly { readonly contactId: string; readonly email: string; readonly at: string }[];
}

export interface SandboxSend {
  readonly contactId: string;
  readonly email: string;
  readonly atMs: number;
  readonly odd?: OddKind | undefined;
}

const domains = ['example.com', 'example.org', 'mail.example.net', 'staff.example.com'];

/** One to one on 32 bits, so that contacts differ, and irregular, so that pages compress as real ones do. */
function scatter(n: number): number {
  let x = (n + 0x9e3779b9) >>> 0;
  x = Math.imul(x ^ (x >>> 16), 0x85ebca6b) >>> 0;
  x = Math.imul(x ^ (x >>> 13), 0xc2b2ae35) >>> 0;
  return (x ^ (x >>> 16)) >>> 0;
}

export class Campaign {
  readonly options: CampaignOptions;
  /** Instants of the sends that were added while the sandbox ran, oldest first. */
  readonly #added: number[] = [];

  constructor(options: CampaignOptions) {
    this.options = options;
  }

  get size(): number {
    return this.options.size + this.#added.length;
  }

  /** Adds sends that are newer than all others, a millisecond apart, the first not before `atMs`. */
  add(count: number, atMs: number): void {
    for (let i = 0; i < count; i++) {
      this.#added.push(Math.max(atMs, this.size === 0 ? atMs : this.at(0).atMs + 1));
    }
  }

  /** The send at `index`, newest first. A send keeps its contact when newer ones arrive. */
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
      // Later than the send before it by anything up to twice the spacing, and never by nothing.
      atMs: added ?? newestMs - back * spacingMs - (back === 0 ? 0 : scatter(back) % spacingMs),
    };
  }

  /** Which of the newest `total` sends comes at a place among them, as its index newest first. */
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

  /** A date as the API writes it. */
  dateOf(atMs: number): string {
    const date = new Date(atMs).toISOString();
    return this.options.zoneless ? date.slice(0, -1) : date;
  }

  /** How many sends there were at the last scheduled update of the numbers: when the day of the newest one began. */
  get sizeAtUpdate(): number {
    const { newestMs } = this.options;
    return this.size - this.countSince(newestMs - (newestMs % 86_400_000));
  }

  /** How many sends, from the newest on, are not older than `sinceMs`. */
  countSince(sinceMs: number): number {
    return this.#search((atMs) => atMs >= sinceMs);
  }

  /** Index of the first send, from the newest on, that is not after `atMs`. */
  indexAt(atMs: number): number {
    return this.#search((at) => at > atMs);
  }

  /** How many of the newest sends hold to `test`, which is true up to some send and false from there on. */
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
