/**
 * Access to elements of the page.
 */
export function part<E extends HTMLElement = HTMLElement>(id: string): E {
  const element = document.getElementById(id);
  if (!element) throw new Error(`the page has no ${id}`);
  return element as E;
}

/** Finds the one element in `place` that matches. */
export function within<E extends HTMLElement = HTMLElement>(place: ParentNode, selector: string): E {
  const element = place.querySelector<E>(selector);
  if (!element) throw new Error(`the page has no ${selector} there`);
  return element;
}

export function say(id: string, text: string): void {
  part(id).textContent = text;
}

export function make<K extends keyof HTMLElementTagNameMap>(
  tag: K,
  className: string,
  ...content: readonly (string | Node)[]
): HTMLElementTagNameMap[K] {
  const element = document.createElement(tag);
  if (className !== '') element.className = className;
  element.append(...content);
  return element;
}

/** Copies the only element of a template. */
export function copyOf(template: string): HTMLElement {
  const [element] = part<HTMLTemplateElement & HTMLElement>(template).content.children;
  return document.importNode(element as HTMLElement, true);
}
