/**
 * `npm run screenshots`: pictures of the explorer for the documentation, out of the demo, with some traffic in it.
 */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { springSaleId } from '../src/sandbox/demo-campaigns.ts';
import { launch } from '../test/support/browser.ts';

const [port, managementPort] = ['9470', '9471'];
const url = `http://127.0.0.1:${port}`;
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
  for (let n = 0; n < 3; n++) ask(`/campaigns/${springSaleId}/opens`, 'web');
  const limit = 1 + Math.floor(Math.random() * 500);
  ask(`/campaigns/${springSaleId}/sends?limit=${limit}`, Math.random() < 0.6 ? 'bi' : 'web');
}, 1_000);

const browser = await launch();
for (const colorScheme of ['light', 'dark'] as const) {
  const page = await browser.newPage({ colorScheme, viewport: { width: 1100, height: 900 } });
  await page.goto(url);
  await page.getByText(/^All \d+ campaigns\.$/).waitFor();
  // With v2, counts come a few at a time, and only for the rows in sight.
  await page.waitForFunction(() =>
    [...document.querySelectorAll('#campaigns-rows td')].every(
      (cell) => cell.textContent !== '…' || cell.getBoundingClientRect().top > innerHeight,
    ),
  );
  await page.screenshot({ path: `docs/images/campaigns-${colorScheme}.png` });
  await page.getByRole('link', { name: 'Spring sale' }).click();
  await page.getByRole('tab', { name: 'Opens' }).click();
  await page.getByRole('button', { name: 'Chart the whole report' }).click();
  await page.getByText(/^All [\d,]+ opens\.$/).waitFor({ timeout: 60_000 });
  await page.screenshot({ path: `docs/images/campaign-${colorScheme}.png`, fullPage: true });
  await page.getByRole('link', { name: 'Live' }).click();
  await page.waitForTimeout(40_000);
  await page.screenshot({ path: `docs/images/live-${colorScheme}.png`, fullPage: true });
  await page.close();
}
clearInterval(traffic);
await browser.close();
demo.kill('SIGTERM');
