/**
 * A request is identified and counted once, before the fast path and Express.
 */
import { createHash } from 'node:crypto';
import { once } from 'node:events';
import http, { type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterEach, describe, expect, jest, test } from '@jest/globals';
import express from 'express';
import { Addresses } from '../src/callers/address.ts';
import { BrowserGuard } from '../src/callers/browser-guard.ts';
import { Callers } from '../src/callers/callers.ts';
import { allowHosts } from '../src/callers/host-guard.ts';
import type { CallerRules } from '../src/callers/identify.ts';
import { clientOf } from '../src/callers/rate-limit/client-key.ts';
import { expressRateLimit } from '../src/callers/rate-limit/express.ts';
import { type Decision, Limiter } from '../src/callers/rate-limit/limiter.ts';
import { defaultTeam, Teams } from '../src/callers/teams.ts';
import { systemClock } from '../src/clock.ts';
import { trackRequests } from '../src/http/request-context.ts';
import { PlainWriter } from '../src/http/response-writer.ts';
import { Tally } from '../src/observability/tally.ts';
import { Problem } from '../src/problems.ts';
import { ask } from './support/ask.ts';
import { start } from './support/harness.ts';
import { dial, wire } from './support/raw.ts';

const limiterOf = (clock = systemClock) => new Limiter({ maxClients: 10, clock, partitionSalt: 'salt' });

describe('a caller with unchanged headers on its connection', () => {
  const observe = trackRequests({
    log: () => {},
    tally: new Tally(),
    clock: systemClock,
    common: { lines: '' },
    writer: new PlainWriter(),
  });

  /** Identifies two requests with these headers on one connection. Resolves with the number of team lookups. */
  function identifiedTwice(fields: Readonly<Record<string, string>>): number {
    const addresses = new Addresses([]);
    const digest = '0'.repeat(64);
    const jobs = { name: 'jobs', weight: 1, networks: [], tokensSha256: [digest] };
    const teams = new Teams([jobs], false, addresses);
    const lookedFor = jest.spyOn(teams, 'of');
    const callers = new Callers({
      rules: {
        isAllowedHost: allowHosts(['localhost']),
        browserGuard: new BrowserGuard([]),
        ...{ teams, requestsPerMinute: 100 },
      },
      ...{ addresses, limiter: limiterOf() },
      isOpen: () => false,
      takeForeignTokens: () => undefined,
    });
    const socket = { remoteAddress: '127.0.0.1' };
    const headers = { host: 'localhost', ...fields };
    for (let n = 0; n < 2; n++) {
      const rawHeaders = Object.entries(headers).flat();
      const req = {
        method: 'GET',
        url: '/campaigns/1/sends',
        headers,
        rawHeaders,
        socket,
      } as unknown as IncomingMessage;
      expect(callers.admit(req, observe(req, {} as ServerResponse))).toBeDefined();
    }
    return lookedFor.mock.calls.length;
  }

  test('belongs to the team that a token stripped from it has when the request is answered', () => {
    const addresses = new Addresses([]);
    const digestOf = (token: string) => createHash('sha256').update(token).digest('hex');
    const rules = (name: string, token = 'secret-token'): CallerRules => ({
      isAllowedHost: () => true,
      browserGuard: new BrowserGuard([]),
      teams: new Teams([{ name, weight: 1, networks: [], tokensSha256: [digestOf(token)] }], false, addresses),
      requestsPerMinute: 100,
    });
    const callers = new Callers({
      ...{ rules: rules('jobs'), addresses, limiter: limiterOf() },
      isOpen: () => false,
      takeForeignTokens: () => ['secret-token'],
    });
    const admitted = (...replaced: Parameters<typeof rules>) => {
      callers.rules = rules('jobs');
      const req = {
        method: 'GET',
        url: '/v2/x',
        headers: {},
        rawHeaders: [],
        socket: {},
      } as unknown as IncomingMessage;
      callers.receive(req);
      callers.rules = rules(...replaced);
      return callers.admit(req, observe(req, {} as ServerResponse))?.caller.identity.team;
    };
    expect(admitted('jobs')).toBe('jobs');
    expect(admitted('web')).toBe('web');
    expect(admitted('jobs', 'another-token')).toBe('default');
  });

  test('is not identified again', () => expect(identifiedTwice({})).toBe(1));

  test('is identified again if it sent a token, since tokens are not remembered', () => {
    expect(identifiedTwice({ authorization: 'Bearer any' })).toBe(2);
  });
});

describe('express-rate-limit', () => {
  const closers: (() => unknown)[] = [];
  afterEach(() => {
    for (const close of closers.splice(0)) close();
  });

  /** Sends a request to an Express application with this decision. */
  async function told(decision: Decision | undefined) {
    const rateLimit = expressRateLimit();
    const app = express();
    app.use(rateLimit.middleware);
    app.use((req, res) => res.json((req as unknown as { rateLimit: unknown }).rateLimit));
    app.use(((error, _req, res, _next) => {
      res.status(error instanceof Problem ? error.status : 500).end();
    }) satisfies express.ErrorRequestHandler);
    const server = http.createServer((req, res) => {
      if (decision) rateLimit.tell(req, decision);
      app(req, res);
    });
    closers.push(() => server.close());
    await once(server.listen(0, '127.0.0.1'), 'listening');
    return ask(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  }
  const client = clientOf(defaultTeam, undefined, 3);

  test('receives the count of the limiter, and counts nothing itself', async () => {
    const limiter = limiterOf();
    for (let used = 1; used <= 3; used++) {
      const { status, body } = await told(limiter.decide(client));
      expect([status, JSON.parse(body)]).toEqual([
        200,
        expect.objectContaining({ limit: 3, used, remaining: 3 - used }),
      ]);
    }
    expect(limiter.decide(client).refusal?.code).toBe('rate-limited');
  });

  test('refuses requests over the limit, and fails if nothing was decided', async () => {
    const decided = { client, fields: '', refusal: undefined };
    expect((await told({ ...decided, used: 4 })).status).toBe(429);
    expect((await told(undefined)).status).toBe(500);
  });
});

test('concurrent requests are counted one by one: none is admitted beyond the limit', () => {
  const limiter = limiterOf();
  const client = clientOf(defaultTeam, undefined, 2);
  const decisions = Array.from({ length: 4 }, () => limiter.decide(client));
  expect(decisions.map(({ refusal }) => refusal?.code)).toEqual([undefined, undefined, 'rate-limited', 'rate-limited']);
  expect(decisions.map(({ fields }) => /r=(\d)/.exec(fields)?.[1])).toEqual(['1', '0', '0', '0']);
});

test('the responses to pipelined requests have their own counts, in turn', async () => {
  const it = await start({ SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '10' });
  try {
    const { socket, closed } = await dial(it.url);
    for (const target of ['/status', '/nothing', '/status']) socket.write(wire(target));
    socket.write(wire('/status', ['Connection: close']));
    const text = await closed;
    expect([...text.matchAll(/RateLimit: "default"; r=(\d)/g)].map(([, r]) => r)).toEqual(['9', '8', '7', '6']);
  } finally {
    await it.close();
  }
});
