/**
 * Writes errors in all forms that Constant Contact and its gateways use.
 */
import type { SandboxAnswer } from './answer.ts';
import type { LimitShape } from './limit-shapes.ts';

/** How an API version writes errors. */
export interface ErrorStyle {
  error(status: number, key: string, message: string): SandboxAnswer;
  /** Response to a call over the account's limit. */
  over(limit: 'second' | 'day', shape: LimitShape, status?: number): SandboxAnswer;
}

/** Forms of error bodies: Constant Contact's two, that of v3's gateway, and those of gateways in front of v2. */
export const errorShapes = ['array', 'object', 'gateway', 'html', 'xml', 'nothing'] as const;
export type ErrorShape = (typeof errorShapes)[number];

/** Response of v3's gateway to an unknown path (recorded traffic). */
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
