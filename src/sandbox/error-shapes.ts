/**
 * The forms in which errors come.
 */
import type { SandboxAnswer } from './answer.ts';
import type { LimitShape } from './limit-shapes.ts';

/** How a version of the API writes errors. */
export interface ErrorStyle {
  error(status: number, key: string, message: string): SandboxAnswer;
  /** The answer to a call over the account's limit. */
  over(limit: 'second' | 'day', shape: LimitShape, status?: number): SandboxAnswer;
}

/** The bodies that errors have: Constant Contact's own two, that of v3's gateway, and those of gateways in front of v2. */
export const errorShapes = ['array', 'object', 'gateway', 'html', 'xml', 'nothing'] as const;
export type ErrorShape = (typeof errorShapes)[number];

/** What v3's gateway says of a path that is none (recorded traffic). */
export const forbidden: SandboxAnswer = { status: 403, body: JSON.stringify({ message: 'Forbidden' }) };

export function errorIn(shape: ErrorShape, status: number, error_key: string, error_message: string): SandboxAnswer {
  const error = { error_key, error_message };
  switch (shape) {
    case 'array':
      return { status, body: JSON.stringify([error]) };
    case 'object':
      return { status, body: JSON.stringify(error) };
    case 'gateway':
      return { status, body: JSON.stringify({ message: error_message }) };
    case 'html':
      return { status, type: 'text/html', body: `<html><body><h1>${status}</h1>${error_message}</body></html>` };
    case 'xml':
      return { status, type: 'text/xml', body: `<h1>${status} ${error_message}</h1>` };
    case 'nothing':
      return { status, body: '' };
  }
}
