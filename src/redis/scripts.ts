/**
 * Loads and runs Lua scripts, each one atomic step in Redis. One file per script, `lua/<name>-<number of keys>.lua`, in the
 * room that uses it.
 */
import { readFileSync } from 'node:fs';
import type { Redis as Client, Cluster } from 'ioredis';

export interface Script {
  /** Command and metric name: `sendgate` and the file's name. */
  readonly name: string;
  /** Number of arguments that are keys. */
  readonly keys: number;
  readonly lua: string;
}

export type Reply = Buffer | number | null | readonly Reply[];

const fileName = /\/([a-z]+(?:-[a-z]+)*)-(\d)\.lua$/;
const include = /^-- @include "([^"]+)"$/gm;

/**
 * Reads a script, once at start. `-- @include "path"` inserts another file, relative to the including one.
 *
 * @param from `import.meta.url` of the calling module
 * @param path relative to it, such as `lua/take-6.lua`
 * @throws Error if the file does not exist or its name lacks the number of keys
 */
export function loadScript(from: string, path: string): Script {
  const url = new URL(path, from);
  const [, name, keys] = fileName.exec(url.pathname) ?? [];
  if (name === undefined) throw new Error(`${path} is not named <name>-<number of keys>.lua`);
  return { name: `sendgate${inCapitals(name)}`, keys: Number(keys), lua: textOf(url) };
}

function textOf(url: URL): string {
  const text = readFileSync(url, 'utf8');
  return text.replace(include, (_line, path: string) => textOf(new URL(`${path}.lua`, url)));
}

const inCapitals = (name: string) => name.replace(/(?:^|-)([a-z])/g, (_match, letter: string) => letter.toUpperCase());

/**
 * Runs a script: sent in full once per connection, then by its digest.
 *
 * @param values the keys, then the other arguments
 */
export function runScript(
  client: Client | Cluster,
  { name, keys, lua }: Script,
  values: readonly (string | number | Buffer)[],
): Promise<Reply> {
  const commands = client as unknown as Record<string, (...values: unknown[]) => Promise<Reply>>;
  if (!commands[name]) client.defineCommand(name, { lua, numberOfKeys: keys });
  return commands[`${name}Buffer`]?.(...values) ?? Promise.reject(new Error('no such script'));
}
