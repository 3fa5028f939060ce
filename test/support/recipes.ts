/**
 * The code of docs/recipes.md, as it stands there.
 */
import { readFileSync } from 'node:fs';

const text = readFileSync(new URL('../../docs/recipes.md', import.meta.url), 'utf8');

interface Block {
  readonly heading: string;
  readonly language: string;
  readonly code: string;
}

const blocks: readonly Block[] = text.split(/^## /m).flatMap((section) => {
  const [heading = ''] = section.split('\n', 1);
  const found = section.matchAll(/^```(\w*)\n([\s\S]*?)^```$/gm);
  return [...found].map(([, language = '', code = '']) => ({ heading, language, code }));
});

const read = new Set<Block>();

/** The blocks of a language under a heading. */
export function codeOf(heading: string, language: string): string[] {
  const found = blocks.filter((block) => block.heading === heading && block.language === language);
  if (found.length === 0) throw new Error(`docs/recipes.md has no ${language} under ${heading}`);
  for (const block of found) read.add(block);
  return found.map(({ code }) => code);
}

/** Heading and language of the blocks that nothing has read so far. */
export const unreadBlocks = () =>
  blocks.filter((block) => !read.has(block)).map(({ heading, language }) => `${heading}: ${language}`);
