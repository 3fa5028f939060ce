/**
 * Collects the mistakes of a configuration, and returns them in the order of the settings.
 */
import { secretNames } from './secret-names.ts';
import type { Setting } from './settings.ts';

const isVariable = (name: string) => /^[A-Z_]+$/.test(name);

/** Further ones are only counted: nobody reads them, and each is compared with all settings. */
const maxDescribed = 50;

export class Mistakes {
  readonly #described: { readonly about: string; readonly text: string }[] = [];
  readonly #others: string[] = [];
  readonly #order: readonly string[];

  constructor(known: readonly Setting[]) {
    this.#order = ['SENDGATE_CONFIG', ...known.map(({ path }) => path), ...Object.values(secretNames)];
  }

  /**
   * @param about path of the setting, or variable of the secret: decides the place among the mistakes
   * @param describe returns the message
   */
  add(about: string, describe: string | (() => string)): void {
    if (this.#described.length === maxDescribed) this.#others.push(about);
    else this.#described.push({ about, text: typeof describe === 'string' ? describe : describe() });
  }

  /** How many there are beside `all`. */
  get more(): number {
    return this.#others.length;
  }

  /** The first 50. Those of the file first, then of settings, of secrets, and of variables that are none. */
  get all(): readonly string[] {
    const ranked = this.#described.map(({ about, text }) => ({ rank: this.#rankOf(about), text }));
    return ranked.toSorted((one, other) => one.rank - other.rank).map(({ text }) => text);
  }

  /** Whether a setting, or something in it, has a mistake. */
  has(path: string): boolean {
    const found = [...this.#described.map(({ about }) => about), ...this.#others];
    return found.some((about) => `${about}.`.startsWith(`${path}.`));
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
