/**
 * The configuration file, which `SENDGATE_CONFIG` names.
 */
import { describeFileFailure } from './file-failure.ts';
import { linesOf, parseOrFault, repeatedNames } from './json.ts';
import type { Mistakes } from './mistakes.ts';
import { isTree, type Tree } from './tree.ts';
import { isName } from './words.ts';

const variable = 'SENDGATE_CONFIG';

export interface ConfigFile {
  readonly tree: Tree;
  /** The content of the file, as it was read. */
  readonly content: string;
  /** "line 3 of /etc/sendgate.json", where the file has a value at the path or around it. */
  placeOf(path: readonly string[]): string | undefined;
}

const nothing = (): ConfigFile => ({ tree: {}, content: '', placeOf: () => undefined });

/** Returns the settings in the file; none without a file, and for a bad one, which adds to `mistakes`. */
export function readConfigFile(
  path: string | undefined,
  readFile: (path: string) => string,
  mistakes: Mistakes,
): ConfigFile {
  if (!path) return nothing();
  let content: string;
  try {
    content = readFile(path);
  } catch (error) {
    mistakes.add(variable, `${variable}: ${describeFileFailure(path, error)}; allowed: the path of a JSON file`);
    return nothing();
  }
  // Some editors write a byte order mark.
  const text = content.replace(/^\ufeff/, '');
  const parsed = parseOrFault(text);
  if ('fault' in parsed) {
    mistakes.add(variable, `${variable}: the file ${path} ${parsed.fault}; allowed: a JSON object`);
    return nothing();
  }
  if (!isTree(parsed.value)) {
    mistakes.add(variable, `${variable}: the file ${path} is not a JSON object; allowed: ${'{ "server": { … }, … }'}`);
    return nothing();
  }
  for (const { path: repeated, line } of repeatedNames(text)) {
    const name = repeated.every(isName) ? repeated.join('.') : 'a name';
    mistakes.add(
      repeated.join('.'),
      `${name} (line ${line} of ${path}): is in the file twice; allowed: each setting once`,
    );
  }
  const { $schema: _, ...tree } = parsed.value;
  const lineOf = linesOf(text);
  const placeOf = (at: readonly string[]) => {
    const line = lineOf(at);
    return line === undefined ? undefined : `line ${line} of ${path}`;
  };
  return { tree, content, placeOf };
}
