/**
 * Finds phrases that readers stumble over, in every file of the tree. Part of `npm run lint`; the plain word stands behind each.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync } from 'node:fs';

const phrases = {
  'come by': 'get, outcome',
  'came by': 'got, outcome',
  'does not help': 'unavailable',
  whoever: 'the caller, everyone who',
  'told of': 'report, notify',
  'so many': 'a number',
  'at the most': 'at most',
  'goes on alone': 'runs standalone',
  'of its own': 'separate, own',
  'nobody waits': 'no caller is waiting',
  'how it was': 'outcome',
};
const pattern = new RegExp(`\\b(${Object.keys(phrases).join('|').replaceAll(' ', '\\s+')})\\b`, 'gi');
const binary = /\.(png|ico|gz|br)$/;

// New files too; git lists a deleted one until that is committed.
const listed = ['ls-files', '--cached', '--others', '--exclude-standard'];
const files = execFileSync('git', listed, { encoding: 'utf8' })
  .split('\n')
  .filter((file) => file !== '' && existsSync(file));
let found = 0;
for (const file of files) {
  if (file === 'test/words.js' || file === 'package-lock.json' || binary.test(file)) continue;
  // A comment's stars, or a quotation's marks, stand between the words of a phrase that wraps.
  const text = readFileSync(file, 'utf8').replaceAll(/\n\s*(\*|\/\/+|#|--|>)\s/g, (wrap) =>
    wrap.replaceAll(/[^\n]/g, ' '),
  );
  for (const { 0: phrase, index } of text.matchAll(pattern)) {
    const line = text.slice(0, index).split('\n').length;
    const plain = phrases[phrase.toLowerCase().replaceAll(/\s+/g, ' ')];
    console.error(`${file}:${line}: "${phrase.replaceAll(/\s+/g, ' ')}": say ${plain}`);
    found++;
  }
}
process.exitCode = found === 0 ? 0 : 1;
