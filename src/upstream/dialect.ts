/**
 * What every version of Constant Contact's API has to be able to do for us. One object a version.
 */
import type { Problem } from '../problems.ts';

/** One send, as callers see it: v2's five documented fields. */
export interface Send {
  readonly activity_type: string;
  readonly campaign_id: string;
  readonly contact_id: string;
  readonly email_address: string;
  readonly send_date: string;
}

/** A cursor is opaque: all that is asked of one, wherever it comes from, is that it is short and printable. */
export const cursorPattern = /^[\x20-\x7e]{1,2048}$/;

export interface PageQuery {
  readonly campaign: string;
  readonly createdSince?: string | undefined;
  readonly limit: number;
  readonly cursor?: string | undefined;
}

export interface SendsPage {
  /** Newest first. */
  readonly sends: readonly Send[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
}

export interface UpstreamRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  readonly headers: Readonly<Record<string, string>>;
}

/** What an upstream error means for the next call. */
export interface Refusal {
  readonly problem: Problem;
  /** Worth another call at once: `retry` any time, `confirm` a single time, since the first answer may mislead. */
  readonly again: 'never' | 'retry' | 'confirm';
}

export interface Credentials {
  apiKey(): string;
  accessToken(): string | undefined;
}

export interface Dialect {
  readonly campaignIds: { readonly pattern: RegExp; readonly allowed: string };
  request(query: PageQuery, credentials: Credentials): UpstreamRequest;
  /** @throws Problem `upstream-failed` when the body is not a page */
  parse(body: string): SendsPage;
  refusal(status: number, body: string, query: PageQuery): Refusal;
}
