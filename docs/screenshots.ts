/**
 * `npm run screenshots`: pictures of the explorer for the documentation, out of the demo, with some traffic in it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { launch } from '../test/support/browser.ts';

const [port, managementPort] = ['9470', '9471'];
const url = `http://127.0.0.1:${port}`;
const campaign = '1100394165288';
const teams = [
  { name: 'web', weight: 2, header: { name: 'x-team', value: 'web' } },
  { name: 'bi', header: { name: 'x-team', value: 'bi' } },
];
const demo = spawn(process.execPath, ['dist/sandbox/demo.js'], {
  env: {
    ...process.env,
    PORT: port,
    SENDGATE_MANAGEMENT_PORT: managementPort,
    SENDGATE_SERVER_TRUST_PROXY: 'loopback',
    SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '1000',
    SENDGATE_TEAMS: JSON.stringify(teams),
  },
  stdio: ['ignore', 'pipe', 'ignore'],
});
await once(demo.stdout, 'data');

/** What a few dashboards ask for. */
const traffic = setInterval(() => {
  const ask = (path: string, team: string) => void fetch(`${url}${path}`, { headers: { 'x-team': team } });
  for (let n = 0; n < 3; n++) ask(`/campaigns/${campaign}/sends`, 'web');
  ask(`/campaigns/${campaign}/sends?limit=${1 + Math.floor(Math.random() * 500)}`, Math.random() < 0.6 ? 'bi' : 'web');
}, 1_000);

const browser = await launch();
for (const colorScheme of ['light', 'dark'] as const) {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 900 } });
  await page.goto(url);
  await page.getByLabel('Campaign id').fill(campaign);
  await page.getByRole('button', { name: 'Show' }).click();
  for (let pages = 1; pages <= 15; pages++) {
    await page
      .locator('#rows tr')
      .nth(pages * 500 - 1)
      .waitFor();
    await page.locator('#scroll').evaluate((element) => element.scrollTo(0, element.scrollHeight));
  }
  await page.locator('#scroll').evaluate((element) => element.scrollTo(0, 0));
  await page.getByRole('button', { name: 'Export as CSV' }).click();
  await page.getByText(/^Saved/).waitFor();
  await page.screenshot({ path: `docs/images/sends-${colorScheme}.png` });
  await page.getByRole('link', { name: 'Live' }).click();
  await page.waitForTimeout(40_000);
  await page.screenshot({ path: `docs/images/live-${colorScheme}.png`, fullPage: true });
  await page.close();
}
clearInterval(traffic);
await browser.close();
demo.kill('SIGTERM');
