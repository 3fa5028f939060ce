/** What Swagger UI passes to those who change its parts. */

/** React's, as far as it is used. */
export interface React {
  createElement(type: unknown, properties?: object | null, ...children: readonly unknown[]): unknown;
  useState<T>(first: T): [value: T, set: (value: T) => void];
  readonly Fragment: unknown;
}

export interface System {
  readonly React: React;
  getComponent(name: string, withSystem?: boolean): unknown;
}

/** Replaces a component of Swagger UI, or puts something around it. */
export type Wrap<Properties = object> = (original: unknown, system: System) => (properties: Properties) => unknown;
