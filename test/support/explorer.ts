/**
 * The explorer in a browser, for the tests of a file. What must stay empty is checked after each: errors of scripts, reports
 * of the policy, requests to anywhere else.
 */
import { readFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { afterAll, afterEach, beforeAll, expect } from '@jest/globals';
import type { Browser, BrowserContext, BrowserContextOptions, Page, Route } from 'playwright-core';
import type { CampaignOptions } from '../../src/sandbox/campaign.ts';
import { launch } from './browser.ts';
import { type Environment, type Harness, start } from './harness.ts';

const axe = readFileSync(createRequire(import.meta.url).resolve('axe-core/axe.min.js'), 'utf8');
export const dayMs = 86_400_000;

export interface OpenOptions {
  readonly env?: Environment;
  readonly browser?: BrowserContextOptions;
  readonly api?: 'v2' | 'v3';
  /** Campaigns that exist before the page is opened. */
  readonly campaigns?: readonly Partial<CampaignOptions>[];
  /** Before the page is opened. */
  readonly prepare?: (page: Page) => Promise<unknown>;
}

export interface Explorer {
  /** Starts a Sendgate and opens a page of it. */
  open(path?: string, options?: OpenOptions): Promise<Page>;
  /** The Sendgate that is open. */
  readonly sendgate: Harness;
  readonly context: BrowserContext;
}

/** Ids of campaigns without one: 1, 2, … */
export function campaignOptions(options: Partial<CampaignOptions>, index: number): CampaignOptions {
  return { id: String(index + 1), size: 100, newestMs: Date.now() - (30 + index) * dayMs, ...options };
}

export function explorer(): Explorer {
  let browser: Browser;
  let sendgate: Harness | undefined;
  let context: BrowserContext | undefined;
  let complaints: string[] = [];

  beforeAll(async () => {
    browser = await launch();
  }, 60_000);
  afterAll(() => browser?.close());
  afterEach(async () => {
    await context?.close();
    await sendgate?.close();
    expect(complaints).toEqual([]);
  });

  async function watch(page: Page, url: string): Promise<void> {
    page.on('pageerror', (error) => complaints.push(error.message));
    page.on('console', (message) => {
      // A browser reports every answer that is an error; those are asked for here.
      const isExpected = /status of (4|5)\d\d|ERR_/.test(message.text());
      if (message.type() === 'error' && !isExpected) complaints.push(message.text());
    });
    page.on('request', (request) => {
      if (!request.url().startsWith(url) && !request.url().startsWith('blob:')) complaints.push(request.url());
    });
    await page.exposeFunction('complain', (text: string) => complaints.push(text));
    await page.addInitScript(() => {
      addEventListener('securitypolicyviolation', ({ violatedDirective, blockedURI }) => {
        (globalThis as unknown as { complain(text: string): void }).complain(`${violatedDirective} ${blockedURI}`);
      });
    });
  }

  return {
    async open(path = '/', { env = {}, api = 'v2', campaigns = [], prepare, ...options } = {}) {
      complaints = [];
      sendgate = await start(env, {}, api);
      for (const [index, campaign] of campaigns.entries()) sendgate.sandbox.campaign(campaignOptions(campaign, index));
      context = await browser.newContext(options.browser);
      const page = await context.newPage();
      await watch(page, sendgate.url);
      await prepare?.(page);
      await page.goto(`${sendgate.url}${path}`);
      return page;
    },
    get sendgate() {
      if (!sendgate) throw new Error('nothing is open');
      return sendgate;
    },
    get context() {
      if (!context) throw new Error('nothing is open');
      return context;
    },
  };
}

/** Returns the rules that axe finds broken. */
export async function violations(page: Page): Promise<string[]> {
  await page.evaluate(axe);
  return page.evaluate(async () => {
    type Found = { violations: { id: string; nodes: { html: string }[] }[] };
    const { axe } = globalThis as unknown as { axe: { run(): Promise<Found> } };
    const found = await axe.run();
    return found.violations.map(({ id, nodes }) => `${id}: ${nodes.map(({ html }) => html).join(' ')}`);
  });
}

/** Notes where charts draw their labels. Call it before the page is opened. */
export async function watchLabels(page: Page): Promise<void> {
  await page.addInitScript(() => {
    const labels: { text: string; isWhole: boolean }[] = [];
    Object.assign(globalThis, { labels });
    const draw = CanvasRenderingContext2D.prototype.fillText;
    CanvasRenderingContext2D.prototype.fillText = function (text, x, y, ...more) {
      const { actualBoundingBoxLeft, actualBoundingBoxRight, actualBoundingBoxAscent, actualBoundingBoxDescent } =
        this.measureText(text);
      const at = this.getTransform().transformPoint({ x, y });
      const isWide = at.x - actualBoundingBoxLeft >= 0 && at.x + actualBoundingBoxRight <= this.canvas.width;
      const isHigh = at.y - actualBoundingBoxAscent >= 0 && at.y + actualBoundingBoxDescent <= this.canvas.height;
      labels.push({ text, isWhole: isWide && isHigh });
      draw.call(this, text, x, y, ...more);
    };
  });
}

/** Labels of charts that were drawn since the last call, and whether they fit into the chart. */
export const drawnLabels = (page: Page) =>
  page.evaluate(() => (globalThis as unknown as { labels: { text: string; isWhole: boolean }[] }).labels.splice(0));

/** Holds the answers to matching requests until it is released. */
export async function hold(page: Page, url: string | RegExp): Promise<{ held: Route[]; release(): Promise<void> }> {
  const held: Route[] = [];
  const keep = (route: Route) => void held.push(route);
  await page.route(url, keep);
  return {
    held,
    release: async () => {
      await page.unroute(url, keep);
      // Those that the page has aborted are gone.
      for (const route of held.splice(0)) await route.continue().catch(() => {});
    },
  };
}

/** Problems in sight. */
export const alerts = (page: Page) => page.getByRole('alert').filter({ visible: true });

/** Scrolls the rows of a report to one of them. */
export const scrollToRow = (page: Page, row: number) =>
  page.locator('#scroll').evaluate((element, index) => {
    const height = element.querySelector('tbody tr')?.getBoundingClientRect().height ?? 0;
    element.scrollTo(0, index * height);
  }, row);

/** Scrolls the rows of a report to the last that is loaded. */
export const scrollDown = (page: Page) => page.locator('#scroll').evaluate((element) => element.scrollTo(0, 1_000_000));

/** Presses Tab until an element with this text, label or id has the focus. */
export async function tabTo(page: Page, what: string, key = 'Tab'): Promise<void> {
  for (let tries = 0; (await focused(page)) !== what; tries++) {
    if (tries > 60) throw new Error(`the keyboard does not reach ${what}`);
    await page.keyboard.press(key);
  }
}

export const focused = (page: Page) =>
  page.evaluate(() => document.activeElement?.id || document.activeElement?.textContent?.trim());
