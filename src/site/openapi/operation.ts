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

/**
 * Describes a path by GET alone. HEAD is GET without content on every path (RFC 9110 §9.3.2), so the description's text says that
 * once: listed, it would be each operation a second time, in the reference and in generated clients.
 */
export const reads = (operation: Operation): Json => ({ get: operation });
