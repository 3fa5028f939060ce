/**
 * The names of the files of pages: `<campaign>/<walk>-<page>` and `<campaign>/<walk>.walk`, with digests for walk and page. An operator
 * can remove one campaign by its directory. What has another name is not ours.
 */
import { createHash } from 'node:crypto';
import { campaignOf } from '../keys.ts';
import type { PageOfWalk } from '../page-of-walk.ts';

/** `noCampaign`, v2's digits, or a UUID: safe as the name of a directory. */
const campaignDirectory = /^(-|\d{1,20}|[0-9a-fA-F]{8}(-[0-9a-fA-F]{4}){3}-[0-9a-fA-F]{12})$/;
const fileName = /^([0-9a-f]{16})(?:-[0-9a-f]{16}|\.walk)$/;

export const isCampaignDirectory = (name: string) => campaignDirectory.test(name);
/** Returns the campaign of a file, or of a campaign's directory. */
export const campaignIn = (path: string) => path.split('/', 1)[0] ?? '';
export const isWalkFile = (path: string) => path.endsWith('.walk');

/** Returns the file of the walk that a file belongs to; undefined if it is not ours. */
export function walkFileOf(path: string): string | undefined {
  const [campaign = '', name = ''] = path.split('/');
  const [, walk] = fileName.exec(name) ?? [];
  return walk && isCampaignDirectory(campaign) ? `${campaign}/${walk}.walk` : undefined;
}

export interface PathsOfPage {
  readonly campaign: string;
  readonly page: string;
  readonly walk: string;
  /** What their content is bound to: in the file of another page or walk it cannot be read. */
  readonly pageContext: string;
  readonly walkContext: string;
}

/** @param namespace settings that change how a page is rendered: files of another namespace are not found */
export function pathsOf(namespace: string, page: PageOfWalk): PathsOfPage | undefined {
  const campaign = campaignOf(page.walk);
  if (!isCampaignDirectory(campaign)) return undefined;
  const walkContext = `walk\n${namespace}\n${page.walk}`;
  const pageContext = `page\n${namespace}\n${page.walk}\n${page.kind === 'first' ? page.limit : `next=${page.cursor}`}`;
  const walk = digest(walkContext);
  return {
    ...{ campaign, pageContext, walkContext },
    page: `${campaign}/${walk}-${digest(pageContext)}`,
    walk: `${campaign}/${walk}.walk`,
  };
}

/** Not keyed: the names have to stay when encryption keys are rotated. Two pages that share a name replace each other. */
const digest = (text: string) => createHash('sha256').update(text).digest('hex').slice(0, 16);
