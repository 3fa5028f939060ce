/**
 * Questions to v3, which carry the access token.
 */
import type { Exchange } from './adapter.ts';

/** The access token in use. */
export interface BearerTokens {
  current(): string;
  /**
   * Has a token that was not taken replaced before the next call.
   *
   * @param isCertain whether the question was known to be good; on the word of others it is replaced once a minute
   */
  refused(token: string, isCertain: boolean): void;
}

interface Question<T> extends Pick<Exchange<T>, 'parse' | 'refusal'> {
  readonly path: string;
  readonly query?: () => Readonly<Record<string, string>>;
  /** In place of `query`. */
  readonly search?: string;
  /** Whether the question is known to be good. */
  readonly isNeutral?: boolean;
}

/** A question that carries the access token, and gives it up when it is refused. */
export function authorized<T>(
  tokens: BearerTokens,
  { path, query = () => ({}), search, parse, refusal, isNeutral = false }: Question<T>,
): Exchange<T> {
  let token = '';
  return {
    request() {
      token = tokens.current();
      return {
        path,
        query: query(),
        ...(search !== undefined && { search }),
        headers: { authorization: `Bearer ${token}` },
      };
    },
    parse,
    refusal(reply) {
      if (reply.status === 401) tokens.refused(token, isNeutral);
      return refusal(reply);
    },
  };
}
