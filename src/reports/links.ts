/**
 * The links that callers follow: always Sendgate's own, never another host or path.
 */

export interface WalkStep {
  readonly campaign: string;
  /** Canonical instant (`…Z`, milliseconds) when the walk began with one. */
  readonly createdSince?: string | undefined;
  readonly cursor: string;
}

/** The path and query of a walk's next page, e.g. `/campaigns/1100394165287/sends?next=c3RhcnRBdD0zJmxpbWl0PTI`. */
export function nextLink(basePath: string, { campaign, createdSince, cursor }: WalkStep): string {
  const since = createdSince === undefined ? '' : `created_since=${createdSince}&`;
  return `${basePath}/campaigns/${encodeURIComponent(campaign)}/sends?${since}next=${encodeURIComponent(cursor)}`;
}
