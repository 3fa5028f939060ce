/**
 * The bodies of errors: Constant Contact's own, and those of the gateways in front of it.
 */
import { z } from 'zod';
import { parseJson } from '../json.ts';

const failure = z.object({ error_key: z.string() }).partial();
/** An array, or on some of v3's paths one bare object (vendor's documentation). The first of an array is all that counts. */
const failures = z.union([z.tuple([failure], z.unknown()), failure.transform((one) => [one])]);
/** Amazon's API Gateway spells it either way. */
const message = z
  .object({ message: z.string() })
  .or(z.object({ Message: z.string() }).transform(({ Message }) => ({ message: Message })));

/** The `error_key` of a refusal; undefined where there is none to be read. */
export function errorKey(body: string): string | undefined {
  return failures.safeParse(read(body)).data?.[0]?.error_key;
}

/** The message of a gateway's JSON; undefined where there is none to be read. */
export function gatewayMessage(body: string): string | undefined {
  return message.safeParse(read(body)).data?.message;
}

/** Undefined for HTML, XML or nothing: the status alone has to do. */
function read(body: string): unknown {
  try {
    return parseJson(body);
  } catch {
    return undefined;
  }
}
