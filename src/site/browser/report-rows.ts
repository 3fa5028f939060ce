/**
 * The table of a report's rows: all that are loaded, or those of them that a search finds.
 */
import { type Column, columnsOf, fieldOf, textOf } from './columns.ts';
import { linkOf } from './links.ts';
import { LongTable } from './long-table.ts';
import { make, part } from './page.ts';
import type { ReportRow } from './reports.ts';
import { onZoneChange, timeElement, zoneElement } from './times.ts';
import { unknown } from './words.ts';

let rows: readonly ReportRow[] = [];
let columns: readonly Column[] = [];
/** In lower case. Empty: all rows are shown. */
let words: readonly string[] = [];
let found: ReportRow[] = [];
/** Rows that have been searched. */
let searched = 0;
/** Width of the longest text in each column, in the size of the font, and the rows in which it was looked for. */
let longest: number[] = [];
let measured = 0;
/** A column is as wide as its longest text, up to this, about sixty characters, unless texts are wanted in full. */
const maxWidth = 36;
const inFull = part<HTMLInputElement>('in-full');

const isSearch = () => words.length > 0;
const shown = () => (isSearch() ? found : rows);

/** @param onNearEnd the last rows are nearly in sight, and all that are loaded are shown */
export function reportTable(onNearEnd: () => void) {
  const table = new LongTable({
    scroller: part('scroll'),
    makeRow: (index) => elementOf(shown()[index]),
    // A search would load the whole report, looking for a full page of what it finds.
    onNearEnd: () => !isSearch() && onNearEnd(),
  });

  function searchAgain(): void {
    found = [];
    searched = 0;
    searchNew();
    table.grow(shown().length);
    table.refresh();
  }

  onZoneChange(() => isSearch() && searchAgain());
  inFull.addEventListener('change', setWidths);
  return {
    /** Shows rows, of which there can be more than before. */
    show(all: readonly ReportRow[]): void {
      // A first page can be empty, and others follow.
      if (all !== rows || columns.length === 0) {
        rows = all;
        columns = rows[0] ? columnsOf(rows[0]) : [];
        found = [];
        searched = 0;
        longest = [];
        measured = 0;
        table.start(columns.map(({ heading, kind }) => ({ kind, heading: headingOf(heading, kind) })));
      }
      part('scroll').hidden = rows.length === 0;
      searchNew();
      widenColumns();
      table.grow(shown().length);
    },
    /** Shows the rows that have all words of a text; all rows, if it has none. */
    search(text: string): void {
      words = text.toLowerCase().split(/\s+/).filter(Boolean);
      part('scroll').scrollTop = 0;
      searchAgain();
    },
    /** How many rows the search found; undefined if there is none. */
    get found(): number | undefined {
      return isSearch() ? found.length : undefined;
    },
    /** After links have become known. */
    refresh() {
      measured = 0;
      widenColumns();
      searchAgain();
    },
  };
}

function searchNew(): void {
  if (!isSearch()) return;
  for (; searched < rows.length; searched++) {
    const row = rows[searched];
    if (row && matches(row)) found.push(row);
  }
}

/** Measures rows that have not been. */
function widenColumns(): void {
  const widthOf = ruler();
  for (; measured < rows.length; measured++) {
    const row = rows[measured];
    for (const [index, column] of columns.entries()) {
      // Dates have a width.
      const width = row && column.kind !== 'date' ? widthOf(shownText(row, column)) : 0;
      if (width > (longest[index] ?? 0)) longest[index] = width;
    }
  }
  setWidths();
}

function setWidths(): void {
  // A tooltip is out of reach of a keyboard and of fingers.
  part('in-full-choice').hidden = longest.every((width) => width <= maxWidth);
  for (const [index, heading] of [...part('scroll').querySelectorAll('th')].entries()) {
    const width = Math.min(longest[index] ?? 0, inFull.checked ? Number.POSITIVE_INFINITY : maxWidth);
    heading.style.setProperty('--longest', width.toFixed(2));
  }
}

/** Returns a function for the width of a text in the table, in the size of its font. */
function ruler(): (text: string) => number {
  const { fontFamily } = getComputedStyle(part('scroll'));
  const context = document.createElement('canvas').getContext('2d');
  if (!context) return (text) => 0.6 * text.length;
  const size = 100; // Precise enough.
  context.font = `${size}px ${fontFamily}`;
  return (text) => context.measureText(text).width / size;
}

function matches(row: ReportRow): boolean {
  const text = columns
    .map((column) => shownText(row, column))
    .join('\n')
    .toLowerCase();
  return words.every((word) => text.includes(word));
}

const headingOf = (heading: string, kind: Column['kind']) =>
  kind === 'date' ? [`${heading} (`, zoneElement(), ')'] : [heading];

function elementOf(row: ReportRow | undefined): HTMLTableRowElement {
  return make('tr', '', ...columns.map((column) => cellOf(row, column)));
}

function cellOf(row: ReportRow | undefined, column: Column): HTMLTableCellElement {
  const { kind, field } = column;
  const value = row ? fieldOf(row, field) : '';
  if (kind === 'date') return make('td', kind, value === '' ? unknown : timeElement(value, 'second'));
  const text = row ? shownText(row, column) : '';
  const cell = make('td', kind, text);
  cell.title = text;
  return cell;
}

/** A link is shown by its address, once that is known. */
function shownText(row: ReportRow, column: Column): string {
  const { kind, field } = column;
  return (kind === 'link' ? linkOf(fieldOf(row, field))?.url : undefined) ?? textOf(row, column);
}
