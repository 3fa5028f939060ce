/**
 * The steps of the Dockerfile, replayed in clean folders where no Docker engine is at hand: what it copies, what it
 * runs, as whom it starts, on files that nobody can write. `npm ci` is not run again: what it would install is linked
 * from here, picked by the lockfile.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from './support/free-port.ts';
import { apiKey, until } from './support/harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sendgate-image-'));

interface Stage {
  readonly path: string;
  user: string;
  env: Record<string, string>;
  healthcheck: string[];
  command: string[];
}
const stages = new Map<string, Stage>();
let image: Stage;

/** The build context: what .dockerignore lets through. */
const allowed = readFileSync(join(root, '.dockerignore'), 'utf8')
  .split('\n')
  .filter((line) => line.startsWith('!'))
  .map((line) => line.slice(1));

interface Lockfile {
  readonly packages: Readonly<Record<string, { readonly dev?: boolean; readonly optional?: boolean }>>;
}

/** What `npm ci` installs: all that is here. */
function installEverything(workdir: string): void {
  mkdirSync(join(workdir, 'node_modules'));
  for (const name of readdirSync(join(root, 'node_modules'))) {
    symlinkSync(join(root, 'node_modules', name), join(workdir, 'node_modules', name));
  }
}

/** What `npm ci --omit=dev` installs: every package of the lockfile that is not one of development alone. */
function installProduction(workdir: string): void {
  const { packages } = JSON.parse(readFileSync(join(workdir, 'package-lock.json'), 'utf8')) as Lockfile;
  for (const [path, { dev, optional }] of Object.entries(packages)) {
    // An optional package may be for another platform.
    if (path === '' || dev || (optional && !existsSync(join(root, path)))) continue;
    mkdirSync(dirname(join(workdir, path)), { recursive: true });
    const isItsOwn = (source: string) => !source.slice(join(root, path).length).startsWith('/node_modules');
    cpSync(join(root, path), join(workdir, path), { recursive: true, verbatimSymlinks: true, filter: isItsOwn });
  }
}

function replay(): Stage {
  let stage: Stage = { path: '', user: 'root', env: {}, healthcheck: [], command: [] };
  let workdir = '';
  for (const line of dockerfile.split('\n')) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    const text = rest.join(' ');
    if (word === 'FROM') {
      stage = { path: join(folder, String(stages.size)), user: 'root', env: {}, healthcheck: [], command: [] };
      stages.set(rest[2] ?? 'final', stage);
    } else if (word === 'WORKDIR') {
      workdir = join(stage.path, text);
      mkdirSync(workdir, { recursive: true });
    } else if (word === 'COPY') {
      const from = rest[0]?.startsWith('--from=') ? rest.shift()?.slice('--from='.length) : undefined;
      const target = rest.pop() ?? '';
      for (const source of rest) {
        if (from === undefined) expect(allowed).toContain(source);
        const origin = from === undefined ? join(root, source) : join(stages.get(from)?.path ?? '', source);
        const into = target === './' ? join(workdir, source.split('/').at(-1) ?? '') : join(workdir, target);
        cpSync(origin, into, { recursive: true, verbatimSymlinks: true });
      }
    } else if (text === 'npm ci') {
      installEverything(workdir);
    } else if (text === 'npm ci --omit=dev') {
      installProduction(workdir);
    } else if (word === 'RUN') {
      execFileSync('sh', ['-c', text], { cwd: workdir, stdio: 'pipe', env: { ...process.env, NODE_ENV: '' } });
    } else if (word === 'ENV') {
      for (const pair of rest) stage.env[pair.split('=')[0] ?? ''] = pair.split('=')[1] ?? '';
    } else if (word === 'USER') stage.user = text;
    else if (word === 'HEALTHCHECK') stage.healthcheck = JSON.parse(line.slice(line.indexOf('CMD ') + 4));
    else if (word === 'CMD') stage.command = JSON.parse(text);
    else if (!['', '#', 'ARG', 'EXPOSE'].includes(word)) throw new Error(`cannot replay ${word}`);
  }
  return stage;
}

beforeAll(() => {
  image = replay();
  chmodSync(folder, 0o755);
  execFileSync('chmod', ['-R', 'a-w,a+rX', image.path]);
}, 240_000);
afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', folder]);
  rmSync(folder, { recursive: true });
});

describe('the image', () => {
  test('starts as another user on a read-only file system, and its health check passes', async () => {
    expect(image.user).toBe('node');
    const somebody = process.getuid?.() === 0 ? { uid: 65_534, gid: 65_534 } : {};
    const [port, managementPort] = [String(await freePort()), String(await freePort())];
    const ports = { PORT: port, SENDGATE_MANAGEMENT_PORT: managementPort };
    const env = { PATH: process.env['PATH'] ?? '', ...image.env, ...ports };
    const [file = '', ...args] = image.command;
    const child = spawn(file === 'node' ? process.execPath : file, args, {
      ...somebody,
      cwd: join(image.path, 'app'),
      env: { ...env, CONSTANT_CONTACT_API_KEY: apiKey, SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com' },
    });
    const exited = new Promise((resolve) => child.once('close', resolve));
    let output = '';
    child.stdout.on('data', (data) => {
      output += data;
    });
    child.stderr.on('data', (data) => {
      output += data;
    });
    try {
      await until(() => output.includes('"listening"') || child.exitCode !== null, 'it starts');
      expect(output).toContain(`"url":"http://0.0.0.0:${port}"`);
      const [command = '', ...flags] = image.healthcheck;
      const check = () => execFileSync(command === 'node' ? process.execPath : command, flags, { env });
      expect(check).not.toThrow();
      expect(() => execFileSync(process.execPath, flags, { env: { ...env, SENDGATE_MANAGEMENT_PORT: '9' } })).toThrow();
    } finally {
      child.kill('SIGTERM');
      expect(await exited).toBe(0);
    }
  });

  test('holds production dependencies and dist, and nothing else', () => {
    const app = join(image.path, 'app');
    expect(readdirSync(app).sort()).toEqual(['dist', 'node_modules', 'package.json']);
    const { devDependencies, dependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) expect(existsSync(join(app, 'node_modules', name))).toBe(true);
    for (const name of Object.keys(devDependencies))
      expect([name, existsSync(join(app, 'node_modules', name))]).toEqual([name, false]);
  });

  test('receives no secret during the build', () => {
    expect(dockerfile).not.toMatch(/^(ARG|ENV).*(KEY|TOKEN|SECRET)/m);
    expect(allowed).toEqual(['src', 'package.json', 'package-lock.json', 'tsconfig.json']);
  });
});
