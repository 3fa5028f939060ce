/**
 * The schema's complaints in plain words: what is wrong with a value, never the value, and what is allowed.
 */
import type { z } from 'zod';
import { allowedAt } from './settings.ts';

export type Issue = z.core.$ZodIssue;

/**
 * @param value what the schema complains of
 * @param isText whether it is the text of a variable, not a value inside its JSON or the file
 */
export function describeIssue(issue: Issue, path: readonly string[], value: unknown, isText: boolean): string {
  return `${faultOf(issue, value, isText)}; allowed: ${hasOwnWords(issue) ? issue.message : allowedAt(path)}`;
}

/** Rules of ours have their own message: what is allowed. */
const hasOwnWords = ({ code }: Issue) => code === 'custom' || code === 'invalid_format';

function faultOf(issue: Issue, value: unknown, isText: boolean): string {
  if (value === undefined) return 'is missing';
  if (value === '') return 'is empty';
  switch (issue.code) {
    case 'invalid_type':
      return typeof value === 'string' && isText
        ? faultOfText(issue.expected, value)
        : faultOfType(issue.expected, value);
    case 'too_big':
      return { string: 'is too long', array: 'has too many entries' }[issue.origin as string] ?? 'is too large';
    case 'too_small':
      return issue.origin === 'string' ? 'is too short' : 'is too small';
    case 'invalid_value':
      return 'is none of the allowed values';
    default:
      return 'is not valid';
  }
}

function faultOfText(expected: string, value: string): string {
  if (value !== value.trim()) return 'has blanks around it';
  return expected === 'boolean' ? 'is neither true nor false' : 'is not an integer';
}

function faultOfType(expected: string, value: unknown): string {
  if (typeof value === 'number' && ['int', 'number'].includes(expected)) return 'is not a whole number';
  return `is ${nounOf(value)}`;
}

function nounOf(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  return { string: 'a text', number: 'a number', boolean: 'a boolean' }[typeof value as string] ?? 'an object';
}
