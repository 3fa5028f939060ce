/**
 * Schemas that validate, as OpenAPI writes them.
 */
import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;

/** JSON Schema of what comes out of `schema`. */
export function toJsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // zod bounds every integer to the safe ones; that is no part of the contract.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  }) as Json;
  return json;
}

export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
