/**
 * The client of Constant Contact in this process, on a fake clock and with scripted responses.
 */
import type { PageQuery } from '../../src/model/page-query.ts';
import { Problem } from '../../src/problems.ts';
import { Demand } from '../../src/quota/demand.ts';
import { Quota } from '../../src/quota/quota.ts';
import type { Reply, UpstreamRequest } from '../../src/upstream/adapter.ts';
import { CallLoop, type CallLoopParts } from '../../src/upstream/call-loop.ts';
import { apiKeyCredentials } from '../../src/upstream/credentials.ts';
import { buildGates } from '../../src/upstream/gates.ts';
import { oneIdEach } from '../../src/upstream/id-lookup.ts';
import { NeutralCall, type NeutralCallParts } from '../../src/upstream/neutral-call.ts';
import { Prober } from '../../src/upstream/prober.ts';
import { RetryBudget } from '../../src/upstream/retry-budget.ts';
import type { Transport } from '../../src/upstream/transport.ts';
import { Upstream } from '../../src/upstream/upstream.ts';
import { v2 } from '../../src/upstream/v2.ts';
import { FakeClock } from './clock.ts';
import { firstPage } from './queries.ts';

/** Headers and body are optional in a script. */
export type Scripted = { readonly status: number; readonly body?: string; readonly headers?: Reply['headers'] } | Error;

export const page: Scripted = { status: 200, body: '{"meta":{"pagination":{}},"results":[]}' };
export const isNeutral = ({ path }: UpstreamRequest) => path === '/v2/emailmarketing/campaigns';

const options = {
  timeoutMs: 5_000,
  deadlineMs: 10_000,
  bulkDeadlineMs: 60_000,
  retries: 2,
  breakerProbeMs: 5_000,
  credentialsRetrySeconds: 60,
};

export function startUpstream(overrides: Partial<typeof options> & { perSecond?: number; maxQueue?: number } = {}) {
  const { perSecond = 1_000, maxQueue = 100, ...given } = overrides;
  const clock = new FakeClock();
  const requests: UpstreamRequest[] = [];
  const timeouts: number[] = [];
  const events: string[] = [];
  const refused: boolean[] = [];
  const it = {
    clock,
    requests,
    /** The longest that each call may take, in milliseconds. */
    timeouts,
    events,
    /** For each 401: whether the question was known to be good. */
    refused,
    /** What Constant Contact answers. */
    answer: (_request: UpstreamRequest): Scripted | Promise<Scripted> => page,
    ready: (): Promise<void> | undefined => undefined,
    neutralCalls: () => requests.filter(isNeutral).length,
    /** All others. */
    calls: () => requests.filter((request) => !isNeutral(request)).length,
  };
  const quota = new Quota(
    {
      clock,
      teams: new Map(['a', 'b'].map((name) => [name, { name, weight: 1 }])),
      events: { waited: () => {}, passed: () => {}, teamSpent: () => {}, teamRefused: () => {} },
    },
    { perSecond, maxQueue, maxWaitMs: 5_000, perDay: 100_000, reserve: 0 },
  );
  const gates = buildGates(
    {
      constantContact: { api: 'v2', credentialsRetrySeconds: 60, breakerFailures: 10, breakerProbeMs: 5_000 },
    } as Parameters<typeof buildGates>[0],
    { clock, emit: (event) => events.push(event), refuseWaiting: (problem) => quota.refuseWaiting(problem) },
  );
  const prober = new Prober(clock);
  const retryBudget = new RetryBudget(10);
  const transport: Pick<Transport, 'send' | 'describe' | 'close'> = {
    async send(request, timeoutMs) {
      requests.push(request);
      timeouts.push(timeoutMs);
      const answer = await it.answer(request);
      if (answer instanceof Error) throw answer;
      return { body: '', headers: {}, ...answer };
    },
    describe: () => ({}),
    close: () => {},
  };
  const { sign } = apiKeyCredentials({ apiKey: () => 'key', accessToken: () => undefined });
  const parts: NeutralCallParts & Pick<CallLoopParts, 'transport' | 'quota'> = {
    ...{ adapter: v2, transport, quota, gates, prober, clock },
    credentials: {
      sign: (request) => ({ ...sign(request), refused: (isCertain) => void refused.push(isCertain) }),
      ready: () => it.ready(),
    },
    observe: () => {},
  };
  const neutral = new NeutralCall(parts, { ...options, ...given });
  const calls = new CallLoop({ ...parts, neutral, retryBudget }, { ...options, ...given });
  const upstream = new Upstream({ clock, adapter: v2, idLookup: oneIdEach, calls, onOdd: () => {} });
  const ask = (query: PageQuery = firstPage('1'), demand = new Demand('a', 'interactive'), signal = never) =>
    upstream.fetchPage(query, demand, signal);
  return Object.assign(it, {
    ...{ quota, gates, prober, neutral, retryBudget, upstream, ask },
    /** The code and reason of a question's problem, or `page`. */
    outcome: (asking: Promise<unknown>) =>
      asking.then(
        () => 'page',
        (error: unknown) => (error instanceof Problem ? `${error.code} ${error.reason}` : String(error)),
      ),
  });
}

export const never = new AbortController().signal;
