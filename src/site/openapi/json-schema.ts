/**
 * Converts validating schemas to OpenAPI's JSON Schema.
 */
import { z } from 'zod';

export type Json = Readonly<Record<string, unknown>>;

/** Returns the JSON Schema of a schema's output. */
export function toJsonSchema(schema: z.ZodType): Json {
  const { $schema: _, ...json } = z.toJSONSchema(schema, {
    io: 'output',
    unrepresentable: 'any',
    override: ({ jsonSchema }) => {
      // zod limits every integer to the safe range, which is not part of the contract.
      if (jsonSchema.maximum === Number.MAX_SAFE_INTEGER) delete jsonSchema.maximum;
    },
  }) as Json;
  return json;
}

export const ref = (name: string) => ({ $ref: `#/components/schemas/${name}` });
