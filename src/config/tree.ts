/**
 * Settings before they are validated: nested objects of unknown values.
 */

export type Tree = Record<string, unknown>;

export function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}

/** Sets a value at a path. Replaces non-objects along the path by objects. */
export function putAt(tree: Tree, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const child = isTree(tree[name]) ? tree[name] : {};
  tree[name] = child;
  putAt(child, rest, value);
}

/** Returns a copy of the tree with another value at a path. */
export function withValueAt<T extends object>(tree: T, [name = '', ...rest]: readonly string[], value: unknown): T {
  const child = valueAt(tree, [name]);
  return { ...tree, [name]: rest.length > 0 && isTree(child) ? withValueAt(child, rest, value) : value };
}

/** Removes the value at a path, or the nearest value above it that is not an object. */
export function removeAt(tree: Tree, path: readonly string[]): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  const child = tree[name];
  if (rest.length > 0 && isTree(child)) removeAt(child, rest);
  else delete tree[name];
}

/** Returns the value at a path; undefined if there is none. */
export function valueAt(tree: unknown, path: readonly string[]): unknown {
  return path.reduce<unknown>(
    (node, name) =>
      (isTree(node) || Array.isArray(node)) && Object.hasOwn(node, name) ? Reflect.get(node, name) : undefined,
    tree,
  );
}
