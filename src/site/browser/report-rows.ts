/**
 * The table of a report's rows.
 */
import { type Column, columnsOf, fieldOf, textOf } from './columns.ts';
import { linkOf } from './links.ts';
import { LongTable } from './long-table.ts';
import { make, part } from './page.ts';
import type { ReportRow } from './reports.ts';

let rows: readonly ReportRow[] = [];
let columns: readonly Column[] = [];

/** @param onNearEnd the last rows are nearly in sight */
export function reportTable(onNearEnd: () => void) {
  const table = new LongTable({ scroller: part('scroll'), makeRow: (index) => elementOf(rows[index]), onNearEnd });
  return {
    /** Shows rows, of which there can be more than before. */
    show(all: readonly ReportRow[]): void {
      if (all !== rows) {
        rows = all;
        columns = rows[0] ? columnsOf(rows[0]) : [];
        table.start(columns);
      }
      part('scroll').hidden = rows.length === 0;
      table.grow(rows.length);
    },
    refresh: () => table.refresh(),
  };
}

function elementOf(row: ReportRow | undefined): HTMLTableRowElement {
  const cells = columns.map((column) => {
    const text = row ? (urlOf(row, column) ?? textOf(row, column)) : '';
    const cell = make('td', column.kind, text);
    cell.title = text;
    return cell;
  });
  return make('tr', '', ...cells);
}

const urlOf = (row: ReportRow, { field }: Column) =>
  field === 'link_id' ? linkOf(fieldOf(row, field))?.url : undefined;
