/**
 * What a campaign is called, whose it is, and when it was made, changed and sent.
 */
import type { CampaignOptions } from './campaign-options.ts';

const dayMs = 86_400_000;

/** Fills in the defaults, which follow from id, size and date. */
export function detailsOf(options: CampaignOptions) {
  const { id, newestMs, size, status = 'DONE' } = options;
  const hasRun = status === 'DONE' || status === 'EXECUTING' || (status === 'REMOVED' && size > 0);
  return {
    status,
    name: options.name ?? `Campaign ${id}`,
    subject: options.subject ?? `Subject ${id}`,
    fromName: options.fromName ?? 'Sandbox',
    fromEmail: options.fromEmail ?? 'sandbox@example.com',
    createdMs: options.createdMs ?? newestMs - 3 * dayMs,
    modifiedMs: options.modifiedMs ?? newestMs,
    lastRunMs: options.lastRunMs ?? (hasRun ? newestMs : undefined),
    nextRunMs: options.nextRunMs ?? (status === 'SCHEDULED' ? newestMs : undefined),
    role: options.role ?? (options.resendOf === undefined ? 'primary_email' : 'resend'),
  };
}
