/**
 * What every version of Constant Contact's API has to be able to do for us. One object a version.
 */
import { z } from 'zod';
import type { Problem } from '../problems.ts';
import type { Demand } from './quota/demand.ts';
import type { OddRows } from './rows.ts';

/** One send, as callers see it: v2's five documented fields. What Constant Contact does not tell is an empty text. */
export const sendSchema = z.object({
  activity_type: z.string().meta({ description: 'What was done', examples: ['EMAIL_SEND'] }),
  campaign_id: z.string().meta({ description: 'The campaign, by the id that was asked for' }),
  contact_id: z.string().meta({
    description: 'Digits with v2, a UUID with v3. Like every field, empty where Constant Contact tells none',
    examples: ['21'],
  }),
  email_address: z
    .string()
    .meta({ description: 'Empty where it is not told, as of deleted contacts', examples: ['abc@example.com'] }),
  send_date: z
    .string()
    .meta({ description: 'Instant in UTC, with milliseconds', examples: ['2012-12-06T13:06:14.762Z'] }),
});
export type Send = Readonly<z.output<typeof sendSchema>>;
export const sendFields = Object.keys(sendSchema.shape) as readonly (keyof Send)[];

/** A cursor is opaque: all that is asked of one, wherever it comes from, is that it is short and printable. */
export const cursorPattern = /^[\x20-\x7e]{1,2048}$/;

/** In whose form a page is: Sendgate's, or that of Constant Contact v2, for programs written for it. */
export type PageForm = 'v2';

/** One page of a campaign's sends: a walk's first page (`limit`), or the one behind a cursor. */
export interface PageQuery {
  readonly campaign: string;
  /** Canonical instant: UTC with milliseconds. */
  readonly createdSince?: string | undefined;
  /** Sends a page, 1–500. A cursor carries its own, so this decides nothing where there is one. */
  readonly limit: number;
  readonly cursor?: string | undefined;
  readonly form?: PageForm | undefined;
}

export interface SendsPage {
  /** Newest first. */
  readonly sends: readonly Send[];
  /** Opaque; undefined on the last page. */
  readonly cursor: string | undefined;
  /** What was not as it should be, where anything was not. */
  readonly odd?: OddRows;
}

/** What is known of a campaign without reading its sends. */
export interface CampaignSummary {
  /** As Constant Contact counts them, which may be behind its pages while a campaign goes out. */
  readonly sends: number;
}

export interface UpstreamRequest {
  readonly path: string;
  readonly query: Readonly<Record<string, string>>;
  /** In place of `query`: one that has to go up as Constant Contact spelled it. */
  readonly search?: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly form?: URLSearchParams;
}

/** An answer, with any status but a redirect's. */
export interface Reply {
  readonly status: number;
  readonly body: string;
  /** By name in lower case. */
  readonly headers: Readonly<Record<string, string>>;
}

/** What an upstream error means for the next call. */
export interface Refusal {
  readonly problem: Problem;
  /** Worth another call at once: `retry` any time, `confirm` a single time, since the first answer may mislead. */
  readonly again: 'never' | 'retry' | 'confirm';
  /** How long the answer asks to wait (`Retry-After`), in milliseconds and within a day; undefined where it does not. */
  readonly waitMs?: number | undefined;
}

/** One question to Constant Contact, and how its answers are read. */
export interface Exchange<T> {
  /** Asked for anew for every try, when its turn has come. */
  request(): UpstreamRequest;
  /** @throws Problem `upstream-failed` when the body is not what was asked for */
  parse(body: string): T;
  refusal(reply: Reply): Refusal;
}

/** Makes a call in its turn, and again where that helps; all calls of one dialect go through here. */
export type Call = <T>(exchange: Exchange<T>, demand: Demand, signal: AbortSignal) => Promise<T>;

/** Which campaign ids a caller may ask by. */
export interface CampaignIdRule {
  readonly pattern: RegExp;
  readonly allowed: string;
}

export const campaignIdRules: Readonly<Record<'v2' | 'v3', CampaignIdRule>> = {
  v2: { pattern: /^\d{1,20}$/, allowed: '1 to 20 digits, such as 1100394165287' },
  v3: {
    pattern: /^(\d{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/,
    allowed: 'a campaign activity id (a UUID), or the 1 to 20 digits of a v2 campaign id',
  },
};

export interface Dialect {
  readonly campaignIds: CampaignIdRule;
  /** Whether `created_since` is understood upstream; where it is not, pages are asked for without it. */
  readonly filtersSince: boolean;
  /** A question that no caller has a part in: any answer but 401, 403, 5xx or a limit means that credentials and API are well. */
  neutral(): Exchange<unknown>;
  /** @throws Problem with any of the upstream codes */
  fetchPage(query: PageQuery, call: Call, demand: Demand, signal: AbortSignal): Promise<SendsPage>;
  /** @throws Problem with any of the upstream codes */
  fetchSummary(campaign: string, call: Call, demand: Demand, signal: AbortSignal): Promise<CampaignSummary>;
}
