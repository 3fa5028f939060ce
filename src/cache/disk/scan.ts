/**
 * Finds the files that earlier processes have left.
 */
import type { Entry, Files } from '../../storage/files.ts';
import { isCampaignFolder, walkFileOf } from './page-paths.ts';

export interface FoundFile {
  readonly path: string;
  readonly bytes: number;
  readonly modifiedMs: number;
}

export interface FoundFolder {
  /** Pages, then walks; a walk is as new as the newest of its pages. */
  readonly files: readonly FoundFile[];
  /** Files that are of no use: not written in full, or walks without pages. */
  readonly useless: readonly string[];
  /** How many are not ours. */
  readonly foreign: number;
}

/** Returns the folders of campaigns, and how many others there are. */
export async function findFolders(files: Files): Promise<{ readonly campaigns: string[]; readonly foreign: number }> {
  const entries = await files.list('');
  const campaigns = entries.filter(({ name, kind }) => kind === 'folder' && isCampaignFolder(name));
  return { campaigns: campaigns.map(({ name }) => name), foreign: entries.length - campaigns.length };
}

/** Looks at the files of one campaign. */
export async function findFiles(files: Files, campaign: string): Promise<FoundFolder> {
  const entries = await files.list(campaign);
  const pathsOf = (kind: Kind) =>
    entries.filter((entry) => kindOf(files, campaign, entry) === kind).map(({ name }) => `${campaign}/${name}`);
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
    useless: [...pathsOf('left-over'), ...unused],
    foreign: pathsOf('foreign').length,
  };
}

type Kind = 'page' | 'walk' | 'left-over' | 'being-written' | 'foreign';

function kindOf(files: Files, campaign: string, { name, kind }: Entry): Kind {
  if (kind !== 'file') return 'foreign';
  const state = files.kindOf(name);
  if (state !== 'whole') return state;
  const path = `${campaign}/${name}`;
  const walk = walkFileOf(path);
  if (walk === undefined) return 'foreign';
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
