/**
 * A table of any number of rows, of which only those in sight are in the page. Rows have one height.
 */
import { make, within } from './page.ts';

/** Rows beyond each edge, so that scrolling by keys does not meet an empty edge. */
const marginRows = 15;
/** Until a row is measured. */
const usualHeight = 36;

export interface LongTableOptions {
  /** Scrolls, and holds a table. */
  readonly scroller: HTMLElement;
  readonly makeRow: (index: number) => HTMLTableRowElement;
  /** The last rows are nearly in sight. */
  readonly onNearEnd: () => void;
}

export class LongTable {
  readonly #options: LongTableOptions;
  readonly #table: HTMLTableElement;
  readonly #body: HTMLTableSectionElement;
  /** Rows in the page, by index. */
  #rows = new Map<number, HTMLTableRowElement>();
  #count = 0;
  #rowHeight = usualHeight;
  #isDue = false;

  constructor(options: LongTableOptions) {
    const { scroller } = options;
    this.#options = options;
    this.#table = within(scroller, 'table');
    this.#body = within(this.#table, 'tbody');
    scroller.addEventListener('scroll', () => this.#renderSoon(), { passive: true });
    new ResizeObserver(() => this.#renderSoon()).observe(scroller);
  }

  /** Starts an empty table. */
  start(headings: readonly { readonly heading: readonly (string | Node)[]; readonly kind: string }[]): void {
    const cells = headings.map(({ heading, kind }) => {
      const cell = make('th', kind, ...heading);
      cell.scope = 'col';
      return cell;
    });
    within(this.#table, 'thead tr').replaceChildren(...cells);
    this.#rows.clear();
    this.#body.replaceChildren();
    this.#count = 0;
    this.#options.scroller.scrollTop = 0;
  }

  /** @param count rows that `makeRow` can make */
  grow(count: number): void {
    this.#count = count;
    this.#table.ariaRowCount = String(count + 1);
    this.#renderSoon();
  }

  /** Makes the rows in sight anew, after others have become theirs. */
  refresh(): void {
    this.#rows.clear();
    this.#renderSoon();
  }

  /** Once a frame at most. */
  #renderSoon(): void {
    if (this.#isDue) return;
    this.#isDue = true;
    requestAnimationFrame(() => {
      this.#isDue = false;
      this.#render();
    });
  }

  #render(): void {
    const { scroller, makeRow, onNearEnd } = this.#options;
    const { scrollTop, clientHeight } = scroller;
    if (clientHeight === 0) return; // Hidden.
    const firstIndex = Math.max(0, Math.floor(scrollTop / this.#rowHeight) - marginRows);
    const end = Math.min(this.#count, Math.ceil((scrollTop + clientHeight) / this.#rowHeight) + marginRows);
    const start = Math.min(firstIndex, end);
    const before = this.#rows;
    this.#rows = new Map();
    for (let index = start; index < end; index++) {
      const row = before.get(index) ?? makeRow(index);
      row.ariaRowIndex = String(index + 2); // The heading is the first.
      this.#rows.set(index, row);
    }
    this.#replace();
    this.#table.style.marginTop = `${start * this.#rowHeight}px`;
    this.#table.style.marginBottom = `${(this.#count - end) * this.#rowHeight}px`;
    this.#measure();
    if (end >= this.#count) onNearEnd();
  }

  #replace(): void {
    const rows = [...this.#rows.values()];
    if (rows.length === this.#body.childElementCount && rows.every((row) => row.parentNode === this.#body)) return;
    const hadFocus = this.#body.contains(document.activeElement);
    this.#body.replaceChildren(...rows);
    if (hadFocus && !this.#body.contains(document.activeElement)) this.#options.scroller.focus({ preventScroll: true });
  }

  /** The height follows the size of the text. */
  #measure(): void {
    const height = this.#body.firstElementChild?.getBoundingClientRect().height ?? 0;
    if (height === 0 || Math.abs(height - this.#rowHeight) < 0.01) return;
    this.#rowHeight = height;
    this.#renderSoon();
  }
}
