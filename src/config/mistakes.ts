/**
 * Collects the mistakes of a configuration, and returns them in the order of the settings.
 */
import { secretNames } from './secret-names.ts';
import type { Setting } from './settings.ts';

const isVariable = (name: string) => /^[A-Z_]+$/.test(name);

export class Mistakes {
  readonly #found: { readonly about: string; readonly text: string }[] = [];
  readonly #order: readonly string[];

  constructor(known: readonly Setting[]) {
    this.#order = ['SENDGATE_CONFIG', ...known.map(({ path }) => path), ...Object.values(secretNames)];
  }

  /** @param about path of the setting, or variable of the secret: decides the place among the mistakes */
  add(about: string, text: string): void {
    this.#found.push({ about, text });
  }

  /** Those of the file first, then of settings, of secrets, and of variables that are none. */
  get all(): readonly string[] {
    const ranked = this.#found.map(({ about, text }) => ({ rank: this.#rankOf(about), text }));
    return ranked.toSorted((one, other) => one.rank - other.rank).map(({ text }) => text);
  }

  /** Whether a setting, or something in it, has a mistake. */
  has(path: string): boolean {
    return this.#found.some(({ about }) => `${about}.`.startsWith(`${path}.`));
  }

  #rankOf(about: string): number {
    const name = about.replace(/_FILE$/, '');
    const exact = this.#order.findIndex((one) => one === name || one.startsWith(`${name}.`));
    if (exact >= 0) return exact;
    const around = this.#order.findIndex((one) => name.startsWith(`${one}.`));
    if (around >= 0) return around;
    if (isVariable(name)) return this.#order.length;
    // An unknown key of a section comes after the section's settings.
    const section = name.slice(0, name.lastIndexOf('.') + 1);
    return this.#order.findLastIndex((one) => one.startsWith(section) && !isVariable(one)) + 0.5;
  }
}
