/**
 * The client as a package: packed, installed into an empty folder, compiled against, and run in Node and in a browser.
 */
import { execFile, execFileSync } from 'node:child_process';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { createServer, type OutgoingHttpHeaders } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { basename, extname, join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { promisify } from 'node:util';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { clientTypes } from '../config/generate.ts';
import { launch } from './support/browser.ts';
import { consumer } from './support/client-consumer.ts';
import { servedPackage } from './support/client-package.ts';
import { type Environment, type Harness, start, until } from './support/harness.ts';

const run = promisify(execFile);
const root = fileURLToPath(new URL('..', import.meta.url));
const read = (path: string) => readFileSync(join(root, path), 'utf8');
const manifest = JSON.parse(read('src/client/package.json'));
/** The Node that runs the tests, and the one that is installed: `npm run test:node24` has two. */
const nodes = [
  ...new Set([process.execPath, execFileSync('sh', ['-c', 'command -v node'], { encoding: 'utf8' }).trim()]),
];

/** Asks no registry: npm does so for no dependency, but for other reasons. */
const quiet = { npm_config_offline: 'true', npm_config_audit: 'false', npm_config_update_notifier: 'false' };

const many = 50_000;
const campaign = '1100394165287';
const newestMs = Date.now() - 30 * 86_400_000;

const base = mkdtempSync(join(tmpdir(), 'sendgate-client-'));
const folder = emptyFolder();
let packed: string;
let it: Harness;

/** `npm pack` in a clone after `npm ci`, which has nothing built; then `npm install` of it in an empty folder, without a network. */
beforeAll(async () => {
  const clone = join(base, 'clone');
  mkdirSync(join(clone, 'src/client'), { recursive: true });
  cpSync(join(root, 'src/client'), join(clone, 'src/client'), {
    recursive: true,
    filter: (path) => basename(path) !== 'dist' && extname(path) !== '.tgz',
  });
  cpSync(join(root, 'tsconfig.json'), join(clone, 'tsconfig.json'));
  symlinkSync(join(root, 'node_modules'), join(clone, 'node_modules'));
  const { stdout } = await run('npm', ['pack', '--silent'], { cwd: join(clone, 'src/client') });
  packed = join(clone, 'src/client', stdout.trim());
  await run('npm', ['install', packed], { cwd: folder, env: { ...process.env, ...quiet } });
}, 60_000);
afterAll(() => rmSync(base, { recursive: true, maxRetries: 10 }));
afterEach(() => it?.close());

function emptyFolder(): string {
  return mkdtempSync(join(base, 'empty-'));
}

/** Compiles a file of the folder to JavaScript. */
function compile(name: string, text: string, environment = inBrowsers): void {
  writeFileSync(join(folder, name), text);
  const strict = ['--strict', '--exactOptionalPropertyTypes', '--noUncheckedIndexedAccess', '--verbatimModuleSyntax'];
  const flags = ['--ignoreConfig', ...strict, '--module', 'nodenext', '--target', 'es2022', ...environment];
  execFileSync(process.execPath, [join(root, 'node_modules/typescript/bin/tsc'), ...flags, name], {
    ...{ cwd: folder, encoding: 'utf8' },
  });
}
const inBrowsers = ['--lib', 'es2022,dom,dom.iterable', '--types', ''];
const inBundlers = [...inBrowsers, '--module', 'esnext', '--moduleResolution', 'bundler'];
const inNode = ['--lib', 'es2022', '--typeRoots', join(root, 'node_modules/@types'), '--types', 'node'];

/** README's examples in a language, with the address of the Sendgate that runs. */
function examples(language: string): string[] {
  const blocks = read('src/client/README.md').matchAll(new RegExp(`^\`\`\`${language}\\n([\\s\\S]*?)^\`\`\`$`, 'gm'));
  return [...blocks].map(([, block = '']) => block.replaceAll('http://127.0.0.1:8080', it?.url ?? ''));
}

async function begin(size: number, env: Environment = {}) {
  it = await start(env);
  return it.sandbox.campaign({ id: campaign, size, newestMs, name: 'Spring sale', reports: { opens: { size: 250 } } });
}

describe('the package', () => {
  test('has types made from the description (npm run generate)', async () => {
    expect(read('src/client/api.ts')).toBe(await clientTypes());
  });

  test('has the version of Sendgate, and needs no other package', () => {
    expect(manifest.version).toBe(JSON.parse(read('package.json')).version);
    expect(basename(packed)).toBe(`sendgate-client-${manifest.version}.tgz`);
    expect(Object.keys(manifest).filter((key) => /dependencies/i.test(key))).toEqual([]);
    // npm warns of, and soon refuses, packages with these.
    expect(Object.keys(manifest.scripts).filter((name) => /install|prepare/.test(name))).toEqual([]);
  });

  test('contains the compiled modules with their types, and its README', () => {
    const names = execFileSync('tar', ['-tzf', packed], { encoding: 'utf8' }).trim().split('\n').sort();
    const modules = ['api', 'client', 'errors', 'patience', 'requests', 'walks'];
    expect(names).toEqual([
      'package/README.md',
      ...modules.flatMap((name) => [`package/dist/${name}.d.ts`, `package/dist/${name}.js`]),
      'package/package.json',
    ]);
  });

  test('is the one that Sendgate serves', () => {
    expect(readFileSync(servedPackage).equals(readFileSync(packed))).toBe(true);
  });
});

describe('its types', () => {
  test.each([
    ['browsers', inBrowsers],
    ['Node', inNode],
    ['bundlers', inBundlers],
  ])('describe options, rows and errors in %s', (_, environment) => {
    compile('consumer.mts', consumer, environment);
    expect(execFileSync(process.execPath, ['consumer.mjs'], { cwd: folder, encoding: 'utf8' })).toBe('function\n');
  });

  test('refuse a wrong report, and list those that there are', () => {
    const text = `import { createClient } from 'sendgate-client';
createClient({ baseUrl: '' }).report('1', 'likes');`;
    let errors = '';
    try {
      compile('wrong.mts', text);
    } catch (error) {
      errors = String((error as { stdout: unknown }).stdout);
    }
    expect(errors.trim().split('\n')).toEqual([expect.stringMatching(/^wrong\.mts\(2,43\): error TS2345: .*"likes"/)]);
  });
});

describe(`README's twelve lines read ${many} rows`, () => {
  /** Sends by day, as the sandbox has them. */
  async function expected(env: Environment = {}): Promise<string[]> {
    const truth = await begin(many, env);
    const byDay = new Map<string, number>();
    for (let index = 0; index < many; index++) {
      const day = new Date(truth.at(index).atMs).toISOString().slice(0, 10);
      byDay.set(day, (byDay.get(day) ?? 0) + 1);
    }
    return [...[...byDay].map(([day, sends]) => `${day} ${sends}`), `${many} sends`];
  }

  test('and are twelve', () => {
    expect(examples('js')[0]?.trimEnd().split('\n').length).toBe(12);
  });

  test.each(nodes)('in Node, %s', async (node) => {
    const lines = await expected();
    compile('report.mts', examples('js')[0] ?? '');
    const { stdout } = await run(node, ['report.mjs'], { cwd: folder });
    expect(stdout.trimEnd().split('\n')).toEqual(lines);
  });

  test.each([
    ['installed with the page', '/node_modules/sendgate-client/dist/client.js'],
    ['from Sendgate', undefined],
  ])('in a page of another origin, with the client %s', async (_, address) => {
    const page = await openPage();
    const lines = await expected({ SENDGATE_CALLERS_CORS_ORIGINS: page.origin });
    compile('report.mts', examples('js')[0] ?? '');
    const html = examples('html')[1] ?? '';
    const served = `${it.url}/assets/client/client.js`;
    expect(html).toContain(served);
    await page.open(html.replace(served, address ?? served));
    await until(() => page.said.includes(`${many} sends`), 'the last line');
    expect(page.said).toEqual(lines);
  });
});

describe("README's other examples", () => {
  test('install from the Sendgate that runs', async () => {
    await begin(1);
    const [lines = ''] = examples('sh');
    const empty = emptyFolder();
    await run('sh', ['-ec', lines], { cwd: empty, env: { ...process.env, ...quiet } });
    const installed = join(empty, 'node_modules/sendgate-client/dist/client.js');
    expect(readFileSync(installed, 'utf8')).toBe(read('dist/client/client.js'));
  });

  test('show campaigns in a page of another origin, under policies that list Sendgate alone', async () => {
    const page = await openPage();
    const { openers } = await begin(1_000, { SENDGATE_CALLERS_CORS_ORIGINS: page.origin });
    const [html = ''] = examples('html');
    await page.open(html, {
      'Cross-Origin-Embedder-Policy': 'require-corp',
      'Cross-Origin-Opener-Policy': 'same-origin',
      'Content-Security-Policy': `default-src 'none'; script-src 'unsafe-inline' ${it.url}; connect-src ${it.url}`,
    });
    await page.tab.getByText(`Spring sale: ${openers} opens`).waitFor();
  });

  test('get an error, and continue from a page', async () => {
    await begin(1_000);
    const [, error = '', pages = ''] = examples('js');
    expect((await node(error)).trim()).toMatch(/^campaign-not-found 404 .+\.$/);
    expect((await node(pages)).trim().split('\n')).toEqual(['first 100 0 s old', 'later 100', 'later 50']);
    compile('error.mts', error);
    compile('pages.mts', pages);
  });

  test.each(nodes)('with require, in Node, %s', async (node) => {
    await begin(3);
    expect(read('src/client/README.md')).toContain("`require('sendgate-client')`");
    const program = `const { createClient } = require('sendgate-client');
createClient({ baseUrl: ${JSON.stringify(it.url)} }).summary(${JSON.stringify(campaign)}).then(({ sends }) => console.log(sends));`;
    writeFileSync(join(folder, 'required.cjs'), program);
    expect(await run(node, ['required.cjs'], { cwd: folder })).toMatchObject({ stdout: '3\n', stderr: '' });
  });

  async function node(program: string): Promise<string> {
    writeFileSync(join(folder, 'example.mjs'), program);
    return (await run(process.execPath, ['example.mjs'], { cwd: folder })).stdout;
  }
});

describe('Sendgate serves', () => {
  test.each([
    ['client.js', 'text/javascript; charset=utf-8', 'br'],
    ['client.d.ts', 'text/plain; charset=utf-8', 'br'],
    ['sendgate-client.tgz', 'application/gzip', null],
  ])('%s to every origin, with a tag', async (name, type, encoding) => {
    it = await start();
    const headers = { origin: 'https://elsewhere.example', 'accept-encoding': 'br' };
    const answer = await it.get(`/assets/client/${name}`, headers);
    const header = (field: string) => answer.headers.get(field);
    expect(answer.status).toBe(200);
    expect(['content-type', 'content-encoding', 'access-control-allow-origin', 'cache-control'].map(header)).toEqual([
      ...[type, encoding, '*', 'no-cache'],
    ]);
    expect(Buffer.from(await answer.arrayBuffer()).equals(readFileSync(join(root, 'dist/client', name)))).toBe(true);
    const again = await it.get(`/assets/client/${name}`, { ...headers, 'if-none-match': header('etag') ?? '' });
    expect(again.status).toBe(304);
  });

  test('every module that another imports, and its types', async () => {
    it = await start();
    for (const name of ['api', 'client', 'errors', 'patience', 'requests', 'walks']) {
      for (const ending of ['js', 'd.ts']) expect((await it.get(`/assets/client/${name}.${ending}`)).status).toBe(200);
    }
  });
});

let browser: Browser | undefined;
afterAll(() => browser?.close());
const closing: (() => Promise<unknown>)[] = [];
afterEach(() => Promise.all(closing.splice(0).map((close) => close())));

interface OtherOrigin {
  readonly origin: string;
  readonly tab: Page;
  open(html: string, headers?: OutgoingHttpHeaders): Promise<unknown>;
  /** What its scripts have printed. */
  readonly said: readonly string[];
}

/** A site that has a page, and the files of the folder. */
async function openPage(): Promise<OtherOrigin> {
  let html = '';
  let headers: OutgoingHttpHeaders = {};
  const site = createServer(({ url = '/' }, res) => {
    if (url === '/') return res.writeHead(200, { ...headers, 'Content-Type': 'text/html' }).end(html);
    if (!/[.]m?js$/.test(url)) return res.writeHead(404).end();
    return res.writeHead(200, { 'Content-Type': 'text/javascript' }).end(readFileSync(join(folder, url)));
  });
  await new Promise<void>((resolve) => site.listen(0, '127.0.0.1', resolve));
  browser ??= await launch();
  const tab = await browser.newPage();
  closing.push(async () => {
    await tab.close();
    site.close();
  });
  const said: string[] = [];
  tab.on('console', (message) => said.push(message.text()));
  const origin = `http://127.0.0.1:${(site.address() as AddressInfo).port}`;
  return {
    ...{ origin, tab, said },
    open: (text, further = {}) => {
      [html, headers] = [text, further];
      return tab.goto(origin);
    },
  };
}
