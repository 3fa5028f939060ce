/**
 * Access to elements of the page.
 */
export function part<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no ${id}`);
  return element as E;
}

export function say(id: string, text: string): void {
  part(id).textContent = text;
}

/** A row of a table. */
export function row(cells: readonly (string | Node)[], numbers: readonly number[] = []): HTMLTableRowElement {
  const tr = document.createElement('tr');
  for (const [index, content] of cells.entries()) {
    const td = document.createElement('td');
    if (numbers.includes(index)) td.className = 'number';
    td.append(content);
    tr.append(td);
  }
  return tr;
}
