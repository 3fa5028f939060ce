/**
 * A program that uses the types of the client's package: what they allow, and, as expected errors, what they refuse.
 */
export const consumer = `import { createClient, SendgateError, type ReportName, type Send } from 'sendgate-client';
const client = createClient({ baseUrl: 'http://127.0.0.1:1', token: 'x' });
const none = undefined;
createClient({ baseUrl: new URL('http://127.0.0.1:1'), token: none, patienceSeconds: none, fetch: none });
client.pages('1', { from: none, limit: none, createdSince: none, signal: none });
client.report('1', 'clicks', { linkId: none, createdSince: none, signal: none });
client.campaigns({ status: none, modifiedSince: none, signal: none });
export async function use(signal: AbortSignal): Promise<Send[]> {
  const sends: Send[] = [];
  for await (const send of client.sends('1', { createdSince: new Date(), signal })) {
    const email: string = send.email_address;
    // @ts-expect-error: callers get the documented five
    send.first_name;
    sends.push({ ...send, email_address: email });
  }
  for await (const { sends, ageSeconds, next } of client.pages('1', { limit: 5 })) void [sends.length, ageSeconds.toFixed(), next?.length];
  for await (const { rows } of client.reportPages('1', 'clicks', { linkId: '1', limit: 5, from: '' })) rows[0]?.link_id.length;
  for await (const { open_date } of client.report('1', 'opens', { createdSince: '2026-01-01', signal })) open_date.length;
  for await (const { id, status } of client.campaigns({ status: 'SENT', modifiedSince: new Date() })) [id, status].join();
  for await (const { rows, next } of client.campaignPages({ limit: 5 })) [rows[0]?.last_run_date, next].join();
  const ofAny = (report: ReportName) => client.report('1', report, { createdSince: new Date() });
  for await (const { email_address } of ofAny('bounces')) email_address.length;
  const { opens } = await client.summary('1');
  const { subject, activities: [activity] } = await client.campaign('1');
  const [link] = await client.links('1');
  void [opens?.toFixed(), subject.length, activity?.role, link?.url.length];
  // @ts-expect-error: there may be no number yet
  opens.toFixed();
  // @ts-expect-error: only clicks are on a link
  client.report('1', 'opens', { linkId: '1' });
  // @ts-expect-error: only clicks are on a link
  client.reportPages('1', 'sends', { linkId: '1' });
  // @ts-expect-error: no such report
  client.report('1', 'likes');
  // @ts-expect-error: an open has no click_date
  for await (const { click_date } of client.report('1', 'opens')) void click_date;
  // @ts-expect-error: no such status
  client.campaigns({ status: 'LOST' });
  // @ts-expect-error: a walk begins at the first page
  client.campaigns({ from: '' });
  const { upstream } = await client.status({ signal });
  const circuit: 'open' | 'closed' = upstream.circuit;
  // @ts-expect-error: a campaign is a string, as v2's ids are too long for numbers
  client.sends(1100394165287);
  // @ts-expect-error: an option that there is not
  client.sends('1', { since: new Date() });
  // @ts-expect-error: it has to be said where Sendgate is
  createClient({});
  try {
    await client.summary('1');
  } catch (error) {
    if (error instanceof SendgateError && error.code === 'campaign-not-found') void error.problem?.errors?.[0]?.allowed;
    // @ts-expect-error: no such code
    if (error instanceof SendgateError && error.code === 'campaign-lost') void circuit;
  }
  return sends;
}
console.log(typeof createClient);
`;
