/**
 * The demo's campaigns: thirty, in every state, with funnels that look like real ones.
 */
import { afterAll, beforeAll, expect, test } from '@jest/globals';
import { bounceKinds } from '../src/sandbox/bounces.ts';
import { Campaign } from '../src/sandbox/campaign.ts';
import { trackingReports } from '../src/sandbox/campaign-options.ts';
import { demoCampaigns, springSaleId } from '../src/sandbox/demo-campaigns.ts';
import { documentedCampaign, type Sandbox } from '../src/sandbox/sandbox.ts';
import { activityIdOf, contactIdOf } from '../src/sandbox/v3.ts';
import { apiKey, startSandbox } from './support/harness.ts';

const nowMs = Date.parse('2026-06-05T10:20:30Z');
const all = demoCampaigns(nowMs).map((options) => new Campaign(options, nowMs));
const out = all.filter(({ details: { status } }) => status === 'DONE' || status === 'EXECUTING');
let sandbox: Sandbox;

beforeAll(async () => {
  sandbox = await startSandbox({ accessToken: '' });
  for (const options of demoCampaigns(nowMs)) sandbox.campaign(options);
});
afterAll(() => sandbox.stop());

async function first(path: string) {
  const { accessToken = '' } = sandbox.oauth?.authorize() ?? {};
  const headers = { authorization: `Bearer ${accessToken}` };
  return (
    await fetch(`${sandbox.url}${path}${path.startsWith('/v2/') ? `?api_key=${encodeURIComponent(apiKey)}` : ''}`, {
      headers,
    })
  ).json();
}

test('are thirty, with different names and ids, in every state', () => {
  expect(all).toHaveLength(30);
  for (const values of [all.map(({ options }) => options.id), all.map(({ details }) => details.name)])
    expect(new Set(values).size).toBe(30);
  expect(new Set(all.map(({ details }) => details.status))).toEqual(
    new Set(['DONE', 'SCHEDULED', 'DRAFT', 'EXECUTING', 'REMOVED', 'ERROR']),
  );
  expect(all.find(({ options }) => options.id === springSaleId)?.details.name).toBe('Spring sale');
  expect(all.some((campaign) => campaign.report('opens').size === 100_000)).toBe(true);
});

test("include the vendor's example, to the letter", async () => {
  const own = `/v2/emailmarketing/campaigns/${documentedCampaign.id}/tracking/sends`;
  const row = (contact_id: string, email_address: string, send_date: string) => ({
    ...{ activity_type: 'EMAIL_SEND', campaign_id: documentedCampaign.id, contact_id, email_address, send_date },
  });
  expect(await first(own)).toMatchObject({
    meta: { pagination: { next_link: `${own}?next=c3RhcnRBdD0zJmxpbWl0PTI` } },
    results: [
      row('21', 'abc@example.com', '2012-12-06T13:06:14.762Z'),
      row('19', 'def@example.com', '2012-12-06T13:06:14.653Z'),
    ],
  });
});

test('narrow from sends to opens to clicks, with bounces of every code', () => {
  for (const campaign of out) {
    const [sends = 0, opens = 0, clicks = 0, bounces = 0] = trackingReports.map((name) => campaign.report(name).size);
    expect([campaign.details.name, opens < sends, clicks <= opens]).toEqual([campaign.details.name, true, true]);
    expect(campaign.openers).toBeLessThanOrEqual(opens);
    expect(bounces).toBeLessThan(sends / 10);
  }
  const springSale = all.find(({ options }) => options.id === springSaleId);
  const codes = Object.keys(bounceKinds) as (keyof typeof bounceKinds)[];
  for (const code of codes) expect(springSale?.bounceCount(code)).toBeGreaterThan(0);
  for (const report of trackingReports) expect(springSale?.report(report).size).toBeGreaterThan(0);
});

test('have happened by now, and only those that have gone out have rows', () => {
  for (const campaign of all) {
    const { status, name, createdMs, modifiedMs, nextRunMs } = campaign.details;
    expect([name, createdMs < modifiedMs, modifiedMs <= nowMs]).toEqual([name, true, true]);
    if (status === 'SCHEDULED') expect(nextRunMs).toBeGreaterThan(nowMs);
    for (const report of trackingReports) {
      const rows = campaign.report(report);
      if (rows.size > 0) expect(rows.at(0).atMs).toBeLessThanOrEqual(nowMs);
      if (['SCHEDULED', 'DRAFT', 'ERROR'].includes(status)) expect(rows.size).toBe(0);
    }
  }
});

test('are the same on every run', async () => {
  expect(demoCampaigns(nowMs)).toEqual(demoCampaigns(nowMs));
  const path = `/v3/reports/email_reports/${activityIdOf(documentedCampaign.id)}/tracking/sends`;
  expect(await first(path)).toMatchObject({ tracking_activities: [{ contact_id: contactIdOf('21') }, {}] });
});
