import { execFileSync } from 'node:child_process';
import { accessSync, chmodSync, constants, mkdtempSync, rmSync, statfsSync } from 'node:fs';
import { join } from 'node:path';

const memory = '/dev/shm';
const minFreeBytes = 2 ** 30;

/**
 * Tests of the process run what `npm start` runs, so it is built first. Folders of tests are in memory where there is room:
 * a rename over a file waits for the disk, and the state file is renamed up to four times a second.
 */
export default function build() {
  execFileSync('npm', ['run', '--silent', 'build'], { stdio: 'inherit' });
  if (!hasRoom()) return;
  const folder = mkdtempSync(join(memory, 'sendgate-tests-'));
  chmodSync(folder, 0o1777); // The image runs as another user.
  process.env.TMPDIR = folder; // Workers start with this environment.
  process.once('exit', () => rmSync(folder, { recursive: true, force: true }));
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
