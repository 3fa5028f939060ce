/**
 * Values that the browser keeps for this Sendgate: in `sessionStorage` for one tab, in `localStorage` for all tabs.
 */
export const baseUrl = new URL('.', location.href).href;

export interface Remembered {
  /** Empty if there is none. */
  read(): string;
  /** @param value empty: removes it */
  write(value: string): void;
}

/** @param storage a function: where a browser blocks storage, reading the property itself throws */
export function remembered(storage: () => Storage, name: string): Remembered {
  const key = `sendgate ${name} ${baseUrl}`;
  return {
    read() {
      try {
        return storage().getItem(key) ?? '';
      } catch {
        return '';
      }
    },
    write(value) {
      try {
        if (value === '') storage().removeItem(key);
        else storage().setItem(key, value);
      } catch {} // Blocked: the value holds until the page is left.
    },
  };
}
