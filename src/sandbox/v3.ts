/**
 * The sandbox's v3: responds as documented.
 */
import { createHash } from 'node:crypto';
import type { SandboxAnswer } from './answer.ts';
import type { Campaign } from './campaign.ts';
import type { ErrorStyle } from './error-shapes.ts';
import { v3Over } from './limit-shapes.ts';

/** Most ids per request for cross references. */
const maxXrefs = 50;

/** Writes one bare object, as on authorization and reporting paths; elsewhere v3 sends an array. */
function v3Error(status: number, key: string, message: string): SandboxAnswer {
  return { status, body: JSON.stringify({ error_key: key, error_message: message }) };
}

export const v3Errors: ErrorStyle = {
  error: v3Error,
  over: v3Over,
};

/** Returns the activity id for a v2 id. */
export function activityIdOf(id: string): string {
  return toUuid(createHash('sha256').update(`activity ${id}`).digest('hex'));
}

/** Returns the campaign id for a v2 id. */
export function campaignIdOf(id: string): string {
  return toUuid(createHash('sha256').update(`campaign ${id}`).digest('hex'));
}

/** Returns v3's contact id for v2's. */
export const contactIdOf = (id: string) => toUuid(`${'0'.repeat(20)}${Number(id).toString(16).padStart(12, '0')}`);

const toUuid = (hex: string) =>
  `${hex.slice(0, 8)}-${hex.slice(8, 12)}-4${hex.slice(13, 16)}-8${hex.slice(17, 20)}-${hex.slice(20, 32)}`;

/** Response to a user who may not read reports. */
export const v3Denied = v3Error(403, 'access_denied', 'You do not have the privilege to see reports.');

/** `GET /v3/account/user/privileges` */
export function v3Privileges(names: readonly string[]): SandboxAnswer {
  return {
    status: 200,
    body: JSON.stringify(names.map((privilege_name, n) => ({ privilege_id: n + 1, privilege_name }))),
  };
}

/** `GET /v3/emails/campaign_id_xrefs`. Lists only known ids. */
export function v3Xrefs(campaigns: ReadonlyMap<string, Campaign>, query: URLSearchParams): SandboxAnswer {
  const ids = (query.get('v2_email_campaign_ids') ?? '').split(',');
  if (ids.length > maxXrefs || ids.some((id) => !/^\d{1,19}$/.test(id))) {
    const error = { error_key: 'query.param.invalid', error_message: 'A query parameter is not valid.' };
    return { status: 400, body: JSON.stringify([error]) };
  }
  const xrefs = ids
    .filter((id) => campaigns.has(id) && campaigns.get(id)?.options.resendOf === undefined)
    .map((id) => ({
      v2_email_campaign_id: campaigns.get(id)?.options.numericIds ? Number(id) : id,
      campaign_id: campaignIdOf(id),
      campaign_activity_id: activityIdOf(id),
    }));
  return { status: 200, body: JSON.stringify({ xrefs }) };
}
