/**
 * The sandbox's v3: campaigns and activities beyond the pages of their reports.
 */
import { afterEach, beforeEach, expect, test } from '@jest/globals';
import { SandboxOAuth } from '../src/sandbox/oauth/oauth-server.ts';
import type { Sandbox, SandboxOptions } from '../src/sandbox/sandbox.ts';
import { activityIdOf, campaignIdOf } from '../src/sandbox/v3.ts';
import { FakeClock } from './support/clock.ts';
import { oauth, startSandbox } from './support/harness.ts';

const newestMs = Date.parse('2026-01-01');
const unknownId = '12345678-1234-4234-8234-123456789012';
let sandbox: Sandbox;

async function up(options: Partial<SandboxOptions> = {}): Promise<void> {
  sandbox = await startSandbox(options);
  sandbox.campaign({ id: '1', size: 5, newestMs });
  sandbox.campaign({ id: '2', size: 2, newestMs, resendOf: '1' });
  sandbox.campaign({ id: '3', size: 5, newestMs, status: 'DRAFT' });
  sandbox.campaign({ id: '4', size: 5, newestMs, status: 'EXECUTING' });
}
beforeEach(() => up());
afterEach(() => sandbox.stop());

async function get(path: string): Promise<{ status: number; body: Record<string, unknown> }> {
  const { accessToken = '' } = sandbox.oauth?.authorize() ?? {};
  const answer = await fetch(`${sandbox.url}/v3${path}`, { headers: { authorization: `Bearer ${accessToken}` } });
  return { status: answer.status, body: (await answer.json()) as Record<string, unknown> };
}
const report = (id: string) => get(`/reports/email_reports/${id}/tracking/sends`);
const stats = (...ids: string[]) => get(`/reports/stats/email_campaign_activities/${ids.join(',')}`);

test('a campaign lists its activities with their roles, and its status in upper case', async () => {
  const { body } = await get(`/emails/${campaignIdOf('1')}`);
  expect(body).toMatchObject({
    campaign_id: campaignIdOf('1'),
    current_status: 'DONE',
    campaign_activities: [
      { role: 'permalink' },
      { campaign_activity_id: activityIdOf('1'), role: 'primary_email' },
      { campaign_activity_id: activityIdOf('2'), role: 'resend' },
    ],
  });
  for (const id of [unknownId, activityIdOf('1'), campaignIdOf('2')])
    expect((await get(`/emails/${id}`)).status).toBe(404);
});

test('an activity names its campaign', async () => {
  expect((await get(`/emails/activities/${activityIdOf('2')}`)).body).toMatchObject({
    ...{ campaign_activity_id: activityIdOf('2'), campaign_id: campaignIdOf('1'), role: 'resend' },
    current_status: 'DONE',
  });
  for (const id of [unknownId, campaignIdOf('1')]) expect((await get(`/emails/activities/${id}`)).status).toBe(404);
});

test('statistics exist for activities that are done, ten a call at most; others are listed as errors', async () => {
  const { body } = await stats(activityIdOf('1'), activityIdOf('3'), activityIdOf('4'), campaignIdOf('1'), unknownId);
  expect(body['results']).toMatchObject([{ campaign_activity_id: activityIdOf('1'), stats: { em_sends: 5 } }]);
  expect(body['errors']).toHaveLength(4);
  expect((await stats(...Array(10).fill(activityIdOf('1')))).status).toBe(200);
  expect((await stats(...Array(11).fill(activityIdOf('1')))).status).toBe(404);
  expect((await stats(activityIdOf('1'), 'malformed')).status).toBe(404);
});

test('the report of an unsent activity is empty; an unknown id gets 404, or an empty report if configured', async () => {
  expect(await report(activityIdOf('3'))).toEqual({ status: 200, body: { tracking_activities: [] } });
  expect((await report(activityIdOf('4'))).body['tracking_activities']).toHaveLength(5);
  for (const id of [unknownId, campaignIdOf('1')]) expect((await report(id)).status).toBe(404);
  await sandbox.stop();
  await up({ unknownActivities: 'empty' });
  for (const id of [unknownId, campaignIdOf('1')]) {
    expect(await report(id)).toEqual({ status: 200, body: { tracking_activities: [] } });
    expect((await get(`/emails/activities/${id}`)).status).toBe(404);
  }
  expect((await get(`/emails/${unknownId}`)).status).toBe(404);
});

test.each([
  ['1', 200],
  ['500', 200],
  ['0', 400],
  ['501', 400],
  ['x', 400],
])('pages of reports have 1 to 500 rows: limit=%s', async (limit, status) => {
  expect((await get(`/reports/email_reports/${activityIdOf('1')}/tracking/sends?limit=${limit}`)).status).toBe(status);
});

test('an activity of another role has no report', async () => {
  for (const [role, status] of [
    ['survey', 404],
    ['PRIMARY_EMAIL', 200],
    ['resend', 200],
  ] as const) {
    sandbox.campaign({ id: '5', size: 5, newestMs, role });
    expect({ role, status: (await report(activityIdOf('5'))).status }).toEqual({ role, status });
  }
});

test('cross references list v2 campaigns, not resends', async () => {
  const { body } = await get('/emails/campaign_id_xrefs?v2_email_campaign_ids=1,2,9');
  expect(body['xrefs']).toEqual([
    { v2_email_campaign_id: '1', campaign_id: campaignIdOf('1'), campaign_activity_id: activityIdOf('1') },
  ]);
  const many = (count: number) =>
    get(`/emails/campaign_id_xrefs?v2_email_campaign_ids=${Array(count).fill('1').join()}`);
  expect([(await many(50)).status, (await many(51)).status]).toEqual([200, 400]);
});

test('an unknown path gets the response of the gateway', async () => {
  for (const path of ['/elsewhere', `/reports/email_reports/${activityIdOf('1')}/tracking/nothing`, '/emails/'])
    expect(await get(path)).toEqual({ status: 403, body: { message: 'Forbidden' } });
});

test('the token endpoint accepts one call a second', async () => {
  const clock = new FakeClock();
  const server = new SandboxOAuth({ ...oauth, rotating: false }, clock);
  const basic = `Basic ${Buffer.from(`${oauth.clientId}:${oauth.clientSecret}`).toString('base64')}`;
  const form = new URLSearchParams({ grant_type: 'refresh_token', refresh_token: oauth.refreshToken }).toString();
  const call = () => server.answer('/oauth2/default/v1/token', basic, form, true).status;
  expect([call(), call()]).toEqual([200, 429]);
  await clock.pass(999);
  expect(call()).toBe(429);
  await clock.pass(1_000);
  expect(call()).toBe(200);
});

test("the device flow accepts documented requests and requires the client's id", () => {
  const server = new SandboxOAuth(oauth, new FakeClock());
  const form = { client_id: oauth.clientId, response_type: 'code', scope: 'campaign_data offline_access', state: 'x' };
  const begin = (fields: Record<string, string>, authorization?: string) =>
    server.answer('/oauth2/default/v1/device/authorize', authorization, new URLSearchParams(fields).toString(), false);
  expect(begin(form).status).toBe(200);
  for (const name of Object.keys(form)) expect([name, begin({ ...form, [name]: '' }).status]).not.toEqual([name, 200]);
  expect(begin({ ...form, scope: 'campaign_data' }).status).toBe(400);
  expect(begin(form, 'Basic x').status).toBe(401);
});
