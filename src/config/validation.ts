/**
 * Validates a whole configuration and reports every mistake with its path and what is allowed.
 */
import type { z } from 'zod';
import { contradictions } from './contradictions.ts';
import { type Config, schema } from './schema.ts';
import type { Setting } from './settings.ts';
import { removeAt, type Tree } from './tree.ts';

/** Returns the configuration; undefined if any value is invalid. Removes invalid values from the tree. */
export function validate(tree: Tree, known: readonly Setting[], mistakes: string[]): Config | undefined {
  const first = schema.safeParse(tree);
  if (first.success) {
    mistakes.push(...contradictions(first.data));
    return first.data;
  }
  const byPath = new Map(known.map((setting) => [setting.path, setting]));
  for (const { path, issue } of first.error.issues.flatMap(pathsOf)) {
    mistakes.push(describe(path, issue, byPath));
    removeAt(tree, path);
  }
  // The remaining values are checked for contradictions, so that one run reports everything.
  const second = schema.safeParse(tree);
  if (second.success) mistakes.push(...contradictions(second.data));
  return undefined;
}

type Issue = z.core.$ZodIssue;

function pathsOf(issue: Issue): readonly { readonly path: readonly string[]; readonly issue: Issue }[] {
  const paths = issue.code === 'unrecognized_keys' ? issue.keys.map((key) => [...issue.path, key]) : [issue.path];
  return paths.map((path) => ({ path: path.map(String), issue }));
}

function describe(path: readonly string[], { code, message }: Issue, byPath: ReadonlyMap<string, Setting>): string {
  const dotted = path.join('.');
  if (code === 'unrecognized_keys') return `${dotted}: is not a setting; allowed: the documented settings`;
  const setting = path.map((_, depth) => byPath.get(path.slice(0, path.length - depth).join('.'))).find(Boolean);
  if (!setting) return `${dotted}: is not valid; allowed: an object of settings`;
  const isOwnMessage = code === 'custom' || code === 'invalid_format' || setting.path !== dotted;
  return `${dotted} (${setting.variable}): is not valid; allowed: ${isOwnMessage ? message : setting.allowed}`;
}
