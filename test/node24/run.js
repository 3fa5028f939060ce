/**
 * Runs the suites that depend on Node's own HTTP, processes and streams on Node 24, the image's, whatever Node runs this.
 * Fails where there is no Node 24 for the machine, or where a pattern finds no suite.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { readdirSync } from 'node:fs';
import { fileURLToPath } from 'node:url';

/** Names of suites below `test/`, without their ending. */
const suites = [
  /^fast-path$/,
  /^both-ways$/,
  /^(export|response-writer|server)$/,
  /^process$/,
  /^workers$/,
  /^client-package$/,
  /^attack\/unparsed$/,
  /^attack\/behind-a-hit$/,
  /^attack\/readers$/,
  /^attack\/stopping$/,
  /^attack\/dead-connections$/,
];

const test = fileURLToPath(new URL('../', import.meta.url));
const node = fileURLToPath(new URL(`node_modules/node-${process.platform}-${process.arch}/bin/node`, import.meta.url));
const version = execFileSync(node, ['--version'], { encoding: 'utf8' }).trim();
if (!version.startsWith('v24.')) throw new Error(`${node} is ${version}`);

const names = readdirSync(test, { recursive: true, encoding: 'utf8' })
  .filter((name) => name.endsWith('.test.ts'))
  .map((name) => name.slice(0, -'.test.ts'.length));
const paths = suites.flatMap((suite) => {
  const found = names.filter((name) => suite.test(name));
  if (found.length === 0) throw new Error(`no suite of test/ matches ${suite}`);
  return found.map((name) => `${test}${name}.test.ts`);
});

process.stdout.write(`on Node ${version}\n`);
const flags = ['--experimental-vm-modules', '--disable-warning=ExperimentalWarning'];
const jest = fileURLToPath(new URL('../../node_modules/jest/bin/jest.js', import.meta.url));
const { status } = spawnSync(node, [...flags, jest, '--selectProjects', 'v2', 'attack', '--runTestsByPath', ...paths], {
  cwd: fileURLToPath(new URL('../../', import.meta.url)),
  stdio: 'inherit',
});
process.exitCode = status ?? 1;
