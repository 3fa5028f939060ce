import { existsSync, readFileSync, writeFileSync } from 'node:fs';

const file = new URL('RESULTS.md', import.meta.url);

/** Replaces one section of RESULTS.md, from its mark to the next mark, or adds it. */
export function replaceSection(name: string, text: string): void {
  const before = existsSync(file) ? readFileSync(file, 'utf8') : '# Results\n\n';
  const section = new RegExp(`<!-- ${name} -->[\\s\\S]*?(?=<!-- |$)`);
  const own = `${text.trim()}\n\n`;
  writeFileSync(
    file,
    `${(section.test(before) ? before.replace(section, () => own) : `${before.trim()}\n\n${own}`).trim()}\n`,
  );
}
