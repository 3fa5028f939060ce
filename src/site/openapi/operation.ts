/**
 * An operation of the API.
 */
import type { Json } from './json-schema.ts';

export interface Operation {
  readonly operationId: string;
  readonly tags: readonly string[];
  readonly summary: string;
  readonly description?: string;
  readonly parameters: readonly Json[];
  readonly responses: Json;
}

/** Describes GET, and HEAD as the same without content. */
export function reads(operation: Operation): Json {
  const { operationId, summary } = operation;
  const responses = Object.fromEntries(
    Object.entries(operation.responses).map(([status, response]) => {
      const { content: _, ...head } = response as Json;
      return [status, head];
    }),
  );
  return {
    get: operation,
    head: { ...operation, operationId: `${operationId}Head`, summary: `${summary}: headers`, responses },
  };
}
