/**
 * Finds the files that earlier processes have left.
 */
import { type Entry, type Files, unfinished } from '../../storage/files.ts';
import { isCampaignDirectory, walkFileOf } from './page-paths.ts';

export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FoundFiles {
  /** Pages, then walks; a walk is as new as the newest of its pages. */
  readonly files: readonly FoundFile[];
  /** Files that were not finished, and walks without pages. */
  readonly useless: readonly string[];
  /** How many are not of Sendgate. */
  readonly foreign: number;
}

/** Returns the campaigns that have a directory, or a link in its place, and how many other entries there are. */
export async function findCampaigns(files: Files): Promise<{ readonly campaigns: string[]; readonly foreign: number }> {
  const entries = await files.list('');
  const campaigns = entries.filter(({ name, isFile }) => !isFile && isCampaignDirectory(name));
  return { campaigns: campaigns.map(({ name }) => name), foreign: entries.length - campaigns.length };
}

/** Returns Sendgate's files of a campaign, finished or not. */
export async function filesOf(files: Files, campaign: string): Promise<string[]> {
  const paths = (await files.list(campaign)).filter(({ isFile }) => isFile).map(({ name }) => `${campaign}/${name}`);
  return paths.filter((path) => walkFileOf(finishedPath(path)) !== undefined);
}

/** Removes all pages, as long as that `isWanted`. What cannot be removed stays. */
export async function removePages(files: Files, isWanted: () => boolean): Promise<void> {
  const { campaigns } = await findCampaigns(files);
  for (const campaign of campaigns) if (isWanted()) await removeCampaign(files, campaign).catch(() => {});
}

async function removeCampaign(files: Files, campaign: string): Promise<void> {
  for (const path of await filesOf(files, campaign)) await files.remove(path);
  await files.removeDirectory(campaign);
}

/** Looks at the files of a campaign. */
export async function findFiles(files: Files, campaign: string): Promise<FoundFiles> {
  const entries = await files.list(campaign);
  const pathsOf = (kind: Kind) =>
    entries.filter((entry) => kindOf(campaign, entry) === kind).map(({ name }) => `${campaign}/${name}`);
  const [pages, walks] = [await statsOf(files, pathsOf('page')), await statsOf(files, pathsOf('walk'))];
  const newest = new Map<string, number>();
  for (const { path, modifiedMs } of pages) {
    const walk = walkFileOf(path) ?? '';
    newest.set(walk, Math.max(newest.get(walk) ?? 0, modifiedMs));
  }
  const used = walks.filter(({ path }) => newest.has(path));
  const unused = walks.filter(({ path }) => !newest.has(path)).map(({ path }) => path);
  return {
    files: [...pages, ...used.map((walk) => ({ ...walk, modifiedMs: newest.get(walk.path) ?? walk.modifiedMs }))],
    useless: [...pathsOf('unfinished'), ...unused],
    foreign: pathsOf('foreign').length,
  };
}

type Kind = 'page' | 'walk' | 'unfinished' | 'foreign';

const finishedPath = (path: string) => (path.endsWith(unfinished) ? path.slice(0, -unfinished.length) : path);

function kindOf(campaign: string, { name, isFile }: Entry): Kind {
  const path = `${campaign}/${name}`;
  const finished = finishedPath(path);
  const walk = walkFileOf(finished);
  if (!isFile || walk === undefined) return 'foreign';
  if (finished !== path) return 'unfinished';
  return walk === path ? 'walk' : 'page';
}

async function statsOf(files: Files, paths: readonly string[]): Promise<FoundFile[]> {
  const found: FoundFile[] = [];
  for (const path of paths) {
    const stats = await files.stat(path);
    if (stats) found.push({ path, ...stats });
  }
  return found;
}
