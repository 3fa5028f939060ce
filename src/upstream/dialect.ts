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
  /**
   * As Constant Contact counts them, which may be behind its pages while a campaign goes out; null where it has no number
   * yet (with v3, until a campaign has gone out).
   */
  readonly sends: number | null;
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

/**
 * The ids by which the rows of one activity can be asked for. Rows are held once, under the activity's id; a page that is asked
 * for by another one is a view of it.
 */
export interface OtherIds {
  /** Changes whenever the activity of an id becomes known. */
  readonly version: number;
  /** The id under which rows are held: that of the activity which `id` is known to mean, or `id` itself. Never two steps. */
  activityOf(id: string): string;
  /** All ids that are known to mean the same, `id` among them. */
  allOf(id: string): readonly string[];
  /** Whether something is known to have this id. */
  exists(id: string): boolean;
  /** Whether nothing is known to have this id, though its reports may be answered: empty. */
  isNowhere(id: string): boolean;
  /** Tells that this is the id of an activity: there are rows under it, or a campaign lists it. */
  addActivity(id: string): void;
  /** Forgets that this id, or any, was found to mean nothing. What ids mean never changes, and is kept. */
  doubt(id?: string): void;
  /** The same, and that it is an activity's where only rows say so: what instances share may have been false. */
  forget(id?: string): void;
}

/** Where a campaign has one id. */
export const noOtherIds: OtherIds = {
  version: 0,
  activityOf: (id) => id,
  allOf: (id) => [id],
  exists: () => false,
  isNowhere: () => false,
  addActivity: () => {},
  doubt: () => {},
  forget: () => {},
};

/** Thrown instead of an answer: what the id means has just become known, and the question has to be asked by that id. */
export class MeansAnotherId extends Error {
  override readonly name = 'MeansAnotherId';
}

/** Which campaign ids a caller may ask by. */
export interface CampaignIdRule {
  readonly pattern: RegExp;
  readonly allowed: string;
}

export const campaignIdRules: Readonly<Record<'v2' | 'v3', CampaignIdRule>> = {
  v2: { pattern: /^\d{1,20}$/, allowed: '1 to 20 digits, such as 1100394165287' },
  v3: {
    pattern: /^(\d{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/,
    allowed: 'the id of a campaign or of a campaign activity (UUIDs), or the 1 to 20 digits of a v2 campaign id',
  },
};

export interface Dialect {
  readonly campaignIds: CampaignIdRule;
  /** Whether `created_since` is understood upstream; where it is not, pages are asked for without it. */
  readonly filtersSince: boolean;
  /** A question that no caller has a part in: any answer but 401, 403, 5xx or a limit means that credentials and API are well. */
  neutral(): Exchange<unknown>;
  readonly ids: OtherIds;
  /**
   * Finds out what an id means, where that is not known and it may mean another one.
   *
   * @throws Problem with any of the upstream codes; none when there is no such id
   */
  identify(id: string, call: Call, demand: Demand, signal: AbortSignal): Promise<void>;
  /** @throws Problem with any of the upstream codes, or MeansAnotherId */
  fetchPage(query: PageQuery, call: Call, demand: Demand, signal: AbortSignal): Promise<SendsPage>;
  /** @throws Problem with any of the upstream codes, or MeansAnotherId */
  fetchSummary(campaign: string, call: Call, demand: Demand, signal: AbortSignal): Promise<CampaignSummary>;
}
