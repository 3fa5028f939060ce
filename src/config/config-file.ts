/**
 * The configuration file, which `SENDGATE_CONFIG` names.
 */
import { secretNames } from './secret-sources.ts';
import { isTree, type Tree } from './tree.ts';

/** The settings in the file; `{}` if there is no file or it cannot be used, and `mistakes` says why. */
export function readConfigFile(path: string | undefined, readFile: (path: string) => string, mistakes: string[]): Tree {
  if (!path) return {};
  let tree: unknown;
  try {
    tree = JSON.parse(readFile(path));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    mistakes.push(`SENDGATE_CONFIG: the file ${why}; allowed: the path of a JSON file`);
    return {};
  }
  if (!isTree(tree)) {
    mistakes.push('SENDGATE_CONFIG: the file holds no object; allowed: { "server": { … }, … }');
    return {};
  }
  const { $schema: _, ...rest } = tree;
  refuseSecrets(rest, mistakes);
  return rest;
}

/** Configuration files get copied, mailed and committed: no place for a key. */
function refuseSecrets(tree: Tree, mistakes: string[]): void {
  const section = tree['constantContact'];
  if (!isTree(section)) return;
  for (const [key, variable] of Object.entries(secretNames)) {
    if (!(key in section)) continue;
    mistakes.push(
      `constantContact.${key}: a secret does not belong in the configuration file; allowed: ${variable} or ${variable}_FILE`,
    );
    delete section[key];
  }
}
