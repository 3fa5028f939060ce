/**
 * Traces, as a collector receives them from the process that `npm start` starts, with the SDK loaded as docs/tracing.md
 * says.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { fileURLToPath } from 'node:url';
import { afterEach, beforeEach, describe, expect, test } from '@jest/globals';
import type { Sandbox } from '../src/sandbox/sandbox.ts';
import {
  accessToken,
  apiKey,
  type Environment,
  type SendgateProcess,
  startProcess,
  startSandbox,
  until,
  upstreamEnv,
} from './support/harness.ts';

interface Received {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly kind: number;
  readonly startTimeUnixNano: string;
  readonly endTimeUnixNano: string;
  readonly attributes: readonly { readonly key: string; readonly value: Record<string, unknown> }[];
  readonly status: { readonly code?: number; readonly message?: string };
}

const kinds = { internal: 1, server: 2, client: 3 };
const traceId = '0af7651916cd43dd8448eb211c80319c';
const callerSpan = 'b7ad6b7169203331';
const sampled = { traceparent: `00-${traceId}-${callerSpan}-01` };
const loader = fileURLToPath(new URL('../deploy/opentelemetry/tracing.js', import.meta.url));

let collector: Server;
let received: string[];
let sandbox: Sandbox;
let sendgate: SendgateProcess;

beforeEach(() => {
  received = [];
});
afterEach(async () => {
  await sendgate.stop();
  await sandbox.stop();
  collector.close();
});

async function begin(env: Environment = {}): Promise<void> {
  // The receiver of a collector: OTLP over HTTP, as JSON.
  collector = createServer((req, res) => {
    let text = '';
    req.on('data', (part) => {
      text += part;
    });
    req.on('end', () => {
      if (req.method === 'POST' && req.url === '/v1/traces') received.push(text);
      res.writeHead(200, { 'Content-Type': 'application/json' }).end('{}');
    });
  });
  await new Promise<void>((resolve) => collector.listen(0, '127.0.0.1', resolve));
  sandbox = await startSandbox();
  sandbox.campaign({ id: '1', size: 700, newestMs: Date.now() - 86_400_000 });
  sendgate = await startProcess({
    ...upstreamEnv(sandbox),
    NODE_OPTIONS: `--import=${loader}`,
    OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${(collector.address() as AddressInfo).port}`,
    OTEL_SERVICE_NAME: 'sendgate',
    OTEL_BSP_SCHEDULE_DELAY: '50',
    ...env,
  });
}

const spans = (): Received[] =>
  received.flatMap((text) =>
    JSON.parse(text).resourceSpans.flatMap((resource: { scopeSpans: { spans: Received[] }[] }) =>
      resource.scopeSpans.flatMap((scope) => scope.spans),
    ),
  );
const ofTrace = (id: string) => spans().filter((span) => span.traceId === id);
const attribute = (span: Received | undefined, key: string) =>
  Object.values(span?.attributes.find((one) => one.key === key)?.value ?? {})[0];

async function ask(path: string, headers: Record<string, string> = sampled): Promise<Response> {
  const answer = await fetch(`${sendgate.url}${path}`, { headers });
  await answer.arrayBuffer();
  return answer;
}

describe('a cold request', () => {
  test.each([
    ['one process', {}],
    ['workers', { SENDGATE_WORKERS: '2' }],
  ])('is traced as request, page lookup, quota wait and call; in %s', async (_, env) => {
    await begin(env);
    await ask('/campaigns/1/sends?created_since=2020-01-01');
    await until(() => ofTrace(traceId).length >= 4, 'the trace has arrived');
    const all = ofTrace(traceId);
    const named = (name: string) => all.find((span) => span.name === name);
    const [request, lookup, wait, call] = ['GET /campaigns/:id/sends', 'page lookup', 'quota wait', 'GET'].map(named);
    expect(all.length).toBe(4);
    expect(request).toMatchObject({ parentSpanId: callerSpan, kind: kinds.server });
    expect(lookup).toMatchObject({ parentSpanId: request?.spanId, kind: kinds.internal });
    expect(wait).toMatchObject({ parentSpanId: lookup?.spanId, kind: kinds.internal });
    expect(call).toMatchObject({ parentSpanId: lookup?.spanId, kind: kinds.client });
    // Each span has a separate clock, which begins with a whole millisecond.
    const slack = 5_000_000n;
    const [calledAt, waitedUntil] = [call?.startTimeUnixNano, wait?.endTimeUnixNano].map((time) => BigInt(time ?? 0));
    expect((calledAt ?? 0n) + slack).toBeGreaterThan(waitedUntil ?? 0n);
    // Constant Contact gets the trace with the call, and Sendgate's log has it.
    expect(sandbox.calls[0]?.headers['traceparent']).toBe(`00-${traceId}-${call?.spanId}-01`);
    await until(() => sendgate.output().includes(`"trace":"${traceId}"`), 'the line is logged');
  });

  test('has the conventional attributes, and nothing private', async () => {
    await begin({ SENDGATE_SERVER_DROP_IN_V2: 'true' });
    await ask('/campaigns/1/sends?created_since=2020-01-01', { ...sampled, baggage: 'user=jane@example.com' });
    await ask('/campaigns/1/sends?api_key=5ecret&next=abc');
    const theirs = '/v2/emailmarketing/campaigns/1/tracking/sends?limit=9&api_key=5ecret&access_token=5ecret';
    await ask(theirs, { ...sampled, authorization: 'Bearer 5ecret' });
    await ask('/v2/lists?access_token=5ecret', { ...sampled, authorization: 'Bearer 5ecret' });
    await until(() => spans().filter(({ kind }) => kind === kinds.server).length === 4, 'all have arrived');
    const request = spans().find(({ kind }) => kind === kinds.server);
    const call = spans().find(({ kind }) => kind === kinds.client);
    expect(attribute(request, 'http.request.method')).toBe('GET');
    expect(attribute(request, 'http.route')).toBe('/campaigns/:id/sends');
    expect(attribute(request, 'url.path')).toBe('/campaigns/1/sends');
    expect(attribute(request, 'http.response.status_code')).toBe(200);
    expect(attribute(request, 'sendgate.cache')).toBe('miss');
    const lookup = spans().find(({ name }) => name === 'page lookup');
    for (const span of [lookup, call]) expect(attribute(span, 'sendgate.report')).toBe('sends');
    expect(attribute(call, 'url.full')).toBe(`${sandbox.url}/v2/emailmarketing/campaigns/1/tracking/sends`);
    expect(attribute(call, 'server.address')).toBe('127.0.0.1');
    expect(attribute(call, 'http.response.status_code')).toBe(200);
    const text = received.join('');
    for (const secret of [apiKey, accessToken, encodeURIComponent(apiKey), '5ecret', '@', 'created_since', 'next=']) {
      expect(text).not.toContain(secret);
    }
    expect(text).toContain('{"key":"service.name","value":{"stringValue":"sendgate"}}');
    expect(sandbox.calls[0]?.headers['baggage']).toBeUndefined();
  });

  test('that fails has its reason and every try', async () => {
    await begin();
    sandbox.fault({ kind: 'status', status: 500 });
    expect((await ask('/campaigns/1/sends')).status).toBe(502);
    await until(() => ofTrace(traceId).some(({ kind }) => kind === kinds.server), 'the trace has arrived');
    const calls = ofTrace(traceId).filter(({ kind }) => kind === kinds.client);
    expect(calls.map((call) => attribute(call, 'error.type'))).toEqual(['http-5xx', 'http-5xx', 'http-5xx']);
    expect(calls.map((call) => attribute(call, 'http.request.resend_count'))).toEqual([undefined, 1, 2]);
    const request = ofTrace(traceId).find(({ kind }) => kind === kinds.server);
    expect(request?.status).toEqual({ code: 2 });
    expect(attribute(request, 'error.type')).toBe('upstream-failed');
  });
});

test('a hit is one span', async () => {
  await begin();
  await ask('/campaigns/1/sends', {});
  await ask('/campaigns/1/sends');
  await until(() => ofTrace(traceId).length > 0, 'the trace has arrived');
  const all = ofTrace(traceId);
  expect(all.map(({ name }) => name)).toEqual(['GET /campaigns/:id/sends']);
  expect(attribute(all[0], 'sendgate.cache')).toBe('fresh');
});

test.each([
  ['one process', {}],
  ['workers', { SENDGATE_WORKERS: '2' }],
])('pending spans are sent at the end; in %s', async (_, env) => {
  await begin({ OTEL_BSP_SCHEDULE_DELAY: '60000', ...env });
  await ask('/campaigns/1/sends');
  expect(await sendgate.stop()).toBe(0);
  await until(() => ofTrace(traceId).length === 4, 'the trace has arrived');
});

test('an unsampled trace is not exported, but its context is sent to Constant Contact', async () => {
  await begin();
  await ask('/campaigns/1/sends', { traceparent: `00-${traceId}-${callerSpan}-00` });
  await ask('/campaigns/404/sends', { traceparent: sampled.traceparent.replace('0af', '1af') });
  await until(() => spans().length > 0, 'the other one has arrived');
  expect(ofTrace(traceId)).toEqual([]);
  expect(sandbox.calls[0]?.headers['traceparent']).toMatch(new RegExp(`^00-${traceId}-[0-9a-f]{16}-00$`));
});

test('without an SDK nothing is exported', async () => {
  await begin({ NODE_OPTIONS: '' });
  expect((await ask('/campaigns/1/sends')).status).toBe(200);
  expect(sandbox.calls[0]?.headers['traceparent']).toBeUndefined();
  expect(sendgate.output()).not.toContain('"trace"');
});
