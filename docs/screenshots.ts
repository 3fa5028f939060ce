/**
 * `npm run screenshots [-- live-]`: a picture of every view in every state, in light and in dark, wide and narrow, for a person to
 * look at: `screenshots/live-error-dark-390.png`. With an argument, only those whose names begin with it. Pictures that the
 * documentation shows are copied to docs/images.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync } from 'node:fs';
import { launch } from '../test/support/browser.ts';
import { freePort } from '../test/support/free-port.ts';
import { type View, views } from './screenshots/views.ts';

const [wanted = ''] = process.argv.slice(2);
const folder = 'screenshots';
mkdirSync(folder, { recursive: true });
const port = await freePort();
const url = `http://127.0.0.1:${port}`;
const demo = spawn(process.execPath, ['dist/sandbox/demo.js'], {
  env: {
    ...process.env,
    PORT: String(port),
    SENDGATE_MANAGEMENT_PORT: String(await freePort()),
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '100000',
    SENDGATE_SERVER_TRUST_PROXY: 'loopback',
  },
  stdio: ['ignore', 'pipe', 'ignore'],
});
await once(demo.stdout, 'data');
const browser = await launch();

let pictures = 0;

/** @throws Error if the view does not get into its state */
async function takePicture(view: View, name: string, colorScheme: 'light' | 'dark', width: number): Promise<void> {
  // The files of the site have a limit per visitor, so each picture is another visitor's.
  const visitor = `192.0.2.${++pictures % 256}`;
  const page = await browser.newPage({
    ...{ colorScheme, viewport: { width, height: 900 } },
    extraHTTPHeaders: { 'x-forwarded-for': visitor },
  });
  page.setDefaultTimeout(20_000);
  try {
    await view.prepare?.(page);
    await page.goto(`${url}${view.path}`);
    await view.ready(page);
  } finally {
    await page.screenshot({ path: `${folder}/${name}.png`, fullPage: !view.isLong });
    await page.close();
  }
  if (view.image !== undefined && width > 1_000) {
    copyFileSync(`${folder}/${name}.png`, `docs/images/${view.image}-${colorScheme}.png`);
  }
}

try {
  for (const view of views) {
    for (const colorScheme of ['light', 'dark'] as const) {
      for (const width of [1_280, 390]) {
        const name = `${view.view}-${view.state}-${colorScheme}-${width}`;
        if (!name.startsWith(wanted)) continue;
        await takePicture(view, name, colorScheme, width).catch((error: Error) => {
          process.exitCode = 1;
          console.error(`${name}: ${error.message.split('\n', 1)[0]}`);
        });
      }
    }
  }
} finally {
  await browser.close();
  demo.kill('SIGTERM');
}
