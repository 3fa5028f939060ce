/**
 * The bodies of errors: Constant Contact's own, and those of the gateways in front of it.
 */
import { z } from 'zod';
import { parseJson } from '../model/json.ts';

const failure = z.object({ error_key: z.string() });
/** Amazon's API Gateway spells it either way. */
const message = z
  .object({ message: z.string() })
  .or(z.object({ Message: z.string() }).transform(({ Message }) => ({ message: Message })));

/**
 * The `error_key` of a refusal; undefined where there is none to be read. Errors come in an array, and on some of v3's paths as
 * one bare object (vendor's documentation). The first of an array is all that counts.
 */
export function errorKey(body: string): string | undefined {
  const json = read(body);
  return failure.safeParse(Array.isArray(json) ? json[0] : json).data?.error_key;
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
