/**
 * Before `npm test`: sees to what the tests need beyond Node. As root on Debian it is installed; elsewhere the line to
 * run is printed. Nothing is skipped.
 */
import { execFileSync } from 'node:child_process';
import { existsSync } from 'node:fs';

/** Debian packages, by a command or a path that they bring. */
const needed = {
  'chromium-headless-shell': 'chromium-headless-shell',
  curl: 'curl',
  script: 'bsdutils',
  'redis-server': 'redis-server',
  promtool: 'prometheus',
  '/usr/lib/python3/dist-packages/pandas': 'python3-pandas',
  openssl: 'openssl',
  tinyproxy: 'tinyproxy-bin',
  'systemd-analyze': 'systemd',
};

const missing = Object.entries(needed).filter(([command]) => !has(command));
const packages = missing.map(([, name]) => name);
if (packages.length > 0) {
  const install = `apt-get update && apt-get install -y --no-install-recommends ${packages.join(' ')}`;
  if (!existsSync('/etc/debian_version') || process.getuid?.() !== 0) {
    process.stderr.write(`The tests need ${packages.join(', ')}. On Debian, run as root:\n\n  ${install}\n\n`);
    process.exit(1);
  }
  execFileSync('sh', ['-c', install], {
    stdio: ['ignore', 'ignore', 'inherit'],
    env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive' },
  });
}

function has(command) {
  if (command.startsWith('/')) return existsSync(command);
  try {
    execFileSync('sh', ['-c', `command -v ${command}`], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}
