import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { accessSync, chmodSync, constants, mkdtempSync, readdirSync, rmSync, statfsSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createScriptTransformer } from '@jest/transform';

const memory = '/dev/shm';
const minFreeBytes = 2 ** 30;

/**
 * Tests of the process run what `npm start` runs, so it is built first. Folders of tests are in memory where there is room:
 * a rename over a file waits for the disk, and the state file is renamed up to four times a second. They are removed together
 * when all tests have ended: a suite that removed its own could meet a process or a write that has not quite ended.
 */
export default async function build(globalConfig, projectConfig) {
  const building = spawn('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  const built = once(building, 'exit');
  await transformSources(globalConfig, projectConfig);
  const [code] = await built;
  if (code !== 0) throw new Error('the build failed');
  const folder = mkdtempSync(join(hasRoom() ? memory : tmpdir(), 'sendgate-tests-'));
  chmodSync(folder, 0o1777); // The image runs as another user.
  process.env.TMPDIR = folder; // Workers start with this environment.
  process.once('exit', () => {
    try {
      rmSync(folder, { recursive: true, force: true });
    } catch (error) {
      console.warn(`${folder} remains: ${error.message}`);
    }
  });
}

/** Fills Jest's cache, which the first suite of every worker would do for itself, four seconds each. */
async function transformSources({ collectCoverage, collectCoverageFrom, coverageProvider }, projectConfig) {
  const transformer = await createScriptTransformer(projectConfig);
  const esm = {
    supportsDynamicImport: true,
    supportsExportNamespaceFrom: true,
    supportsStaticESM: true,
    supportsTopLevelAwait: true,
  };
  const src = join(projectConfig.rootDir, 'src');
  for (const name of readdirSync(src, { recursive: true })) {
    if (!name.endsWith('.ts')) continue;
    const options = { ...esm, collectCoverage, collectCoverageFrom, coverageProvider, changedFiles: undefined };
    await transformer.transformAsync(join(src, name), options);
  }
}

function hasRoom() {
  try {
    accessSync(memory, constants.W_OK);
    const { bavail, bsize } = statfsSync(memory);
    return bavail * bsize >= minFreeBytes;
  } catch {
    return false;
  }
}
