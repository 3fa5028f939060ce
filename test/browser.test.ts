/**
 * A real browser lets a page of another origin do nothing with Sendgate, unless its origin is listed.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, afterEach, beforeAll, describe, expect, test } from '@jest/globals';
import type { Browser, Page } from 'playwright-core';
import { launch } from './support/browser.ts';
import { type Environment, type Harness, start } from './support/harness.ts';

const path = '/campaigns/1/sends';
let browser: Browser;
let elsewhere: Server;
let port = 0;
let it: Harness;

beforeAll(async () => {
  elsewhere = createServer((_req, res) => res.writeHead(200, { 'Content-Type': 'text/html' }).end('<!doctype html>'));
  await new Promise<void>((resolve) => elsewhere.listen(0, '127.0.0.1', resolve));
  port = (elsewhere.address() as AddressInfo).port;
  // Names that a page of an attacker would have.
  browser = await launch(['--host-resolver-rules=MAP evil.example 127.0.0.1']);
}, 60_000);
afterAll(async () => {
  await browser?.close();
  elsewhere.close();
});
afterEach(() => it?.close());

async function open(origin: string, env: Environment = {}): Promise<Page> {
  it = await start(env);
  it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  const page = await browser.newPage();
  await page.goto(origin);
  return page;
}

/** Everything that a page can find out about a URL. */
const tries = (page: Page, url: string) =>
  page.evaluate(async (target) => {
    const read = (init: RequestInit) =>
      fetch(target, init).then(
        async (answer) => `${answer.type} ${answer.status} ${(await answer.text()).length > 0 ? 'body' : 'nothing'}`,
        () => 'refused',
      );
    const load = (element: HTMLImageElement | HTMLScriptElement | HTMLIFrameElement) =>
      new Promise<string>((resolve) => {
        element.onload = () => resolve('loaded');
        element.onerror = () => resolve('refused');
        element.src = target;
        document.documentElement.append(element);
        setTimeout(() => resolve('nothing'), 1000);
      });
    return {
      fetch: await read({}),
      asTeam: await read({ headers: { 'x-team': 'bi' } }),
      asAddress: await read({ headers: { 'x-forwarded-for': '10.1.2.3' } }),
      withCredentials: await read({ credentials: 'include' }),
      blind: await read({ mode: 'no-cors' }),
      image: await load(new Image()),
      script: await load(document.createElement('script')),
    };
  }, url);

describe('a page of another origin', () => {
  test.each([
    ['on another port of the same host', () => `http://127.0.0.1:${port}`],
    ['on another site', () => `http://localhost:${port}`],
    ['of an attacker', () => `http://evil.example:${port}`],
  ])('%s can neither read nor trigger anything', async (_, origin) => {
    const page = await open(origin());
    expect(await tries(page, `${it.url}${path}`)).toEqual({
      fetch: 'refused',
      asTeam: 'refused',
      asAddress: 'refused',
      withCredentials: 'refused',
      blind: expect.stringMatching(/^(refused|opaque 0 nothing)$/),
      image: 'refused',
      script: 'refused',
    });
    expect(it.sandbox.callCount).toBe(0);
    await page.close();
  });

  test('in a sandboxed frame (null origin) can neither read nor trigger anything', async () => {
    const page = await open(`http://127.0.0.1:${port}`);
    const outcome = await page.evaluate(async (target) => {
      const frame = document.createElement('iframe');
      frame.setAttribute('sandbox', 'allow-scripts');
      const said = new Promise((resolve) => addEventListener('message', ({ data }) => resolve(data), { once: true }));
      frame.srcdoc = `<script>fetch(${JSON.stringify(target)}).then((a) => 'read ' + a.status, () => 'refused').then((said) => parent.postMessage(said, '*'))</script>`;
      document.documentElement.append(frame);
      return said;
    }, `${it.url}${path}`);
    expect(outcome).toBe('refused');
    expect(it.sandbox.callCount).toBe(0);
    await page.close();
  });

  test('on a host name rebound to Sendgate is refused', async () => {
    const page = await open('about:blank');
    const sendgatePort = new URL(it.url).port;
    const answer = await page.goto(`http://evil.example:${sendgatePort}${path}`);
    expect(answer?.status()).toBe(421);
    const own = await page.evaluate(
      (target) =>
        fetch(target).then(
          () => 'read',
          () => 'refused',
        ),
      path,
    );
    expect(own).toBe('refused');
    expect(it.sandbox.callCount).toBe(0);
    await page.close();
  });
});

describe('a page of a listed origin', () => {
  test('reads the page, its headers and problems, and revalidates without a call', async () => {
    const origin = `http://localhost:${port}`;
    const page = await open(origin, { SENDGATE_CALLERS_CORS_ORIGINS: origin });
    const seen = await page.evaluate(async (base) => {
      const first = await fetch(`${base}/campaigns/1/sends?limit=2`);
      const second = await fetch(`${base}/campaigns/1/sends?limit=2`, { headers: { 'cache-control': 'max-age=60' } });
      const wrong = await fetch(`${base}/campaigns/1/sends?limit=0`);
      return {
        sends: ((await first.json()) as { results: unknown[] }).results.length,
        link: first.headers.get('link'),
        cache: second.headers.get('cache-status'),
        problem: ((await wrong.json()) as { type: string }).type,
      };
    }, it.url);
    expect(seen).toEqual({
      sends: 2,
      link: expect.stringContaining('</campaigns/1/sends?next='),
      cache: expect.stringContaining('sendgate; hit'),
      problem: '/problems/invalid-request',
    });
    // No page sets the headers of a proxy.
    for (const name of ['x-team', 'x-forwarded-for']) {
      const outcome = await page.evaluate(
        ([target = '', header = '']) =>
          fetch(target, { headers: { [header]: 'bi' } }).then(
            () => 'read',
            () => 'refused',
          ),
        [`${it.url}${path}`, name],
      );
      expect(outcome).toBe('refused');
    }
    expect(it.sandbox.callCount).toBe(1);
    await page.close();
  });
});
