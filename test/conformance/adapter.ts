/**
 * The promises of every adapter: requests and parsers without side effects.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { noCampaign, type PageQuery } from '../../src/model/page-query.ts';
import { allReports } from '../../src/model/reports.ts';
import type { ParsedPage, ResourceName } from '../../src/model/resource.ts';
import { readRows, renderPage } from '../../src/reports/page-json.ts';
import { type ErrorShape, errorShapes } from '../../src/sandbox/error-shapes.ts';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import type { Adapter, Question, Reply } from '../../src/upstream/adapter.ts';
import type { Credentials } from '../../src/upstream/credentials.ts';
import { readErrorBody } from '../../src/upstream/error-body.ts';
import { Transport } from '../../src/upstream/transport.ts';
import { startSandbox } from '../support/harness.ts';
import { firstPage, nextPage } from '../support/queries.ts';

const newestMs = Date.parse('2026-01-01T12:00:00Z');
const size = 7;
const since = '2026-01-01T00:00:00.000Z';

interface Subject {
  readonly adapter: Adapter;
  /** The id of the sandbox's campaign 1 in this version, and an unused one. */
  readonly campaign: string;
  readonly unknown: string;
  /** A cursor that Constant Contact may have made, as callers have it. */
  readonly cursor: string;
  readonly credentials: (sandbox: Sandbox) => Credentials;
  /** Texts that no unsigned request may contain. */
  readonly secrets: readonly string[];
  /** What this version serves besides reports. */
  readonly resources: { readonly ofAccount: readonly ResourceName[]; readonly ofCampaign: readonly ResourceName[] };
  /** The other questions that this version has. */
  readonly others: Readonly<Record<string, () => Question<unknown>>>;
}

export function describeAdapter(name: string, subject: Subject): void {
  const { adapter, campaign, unknown, cursor, secrets, others } = subject;
  const { ofAccount, ofCampaign } = subject.resources;
  const reports = allReports.map(({ name }) => name);
  const queries = [
    ...[...reports, ...ofCampaign].map((resource) => ({ ...firstPage(campaign, 3), resource })),
    ...ofAccount.map((resource) => ({ ...firstPage(noCampaign, 3), resource })),
  ];
  const query: PageQuery = firstPage(campaign, 3);
  const behind: PageQuery = nextPage(campaign, cursor);
  const questions: Readonly<Record<string, () => Question<unknown>>> = {
    'a first page': () => adapter.page(query),
    'a first page since an instant': () => adapter.page({ ...query, since }),
    'a later page': () => adapter.page(behind),
    ...Object.fromEntries(queries.map((one) => [one.resource, () => adapter.page(one)])),
    'the neutral question': () => adapter.neutral,
    ...others,
  };
  const all = Object.entries(questions);

  describe(`${name}: the request`, () => {
    test.each(all)('for %s is deterministic and unique', (_, make) => {
      const [one, other] = [make().request, make().request];
      expect(other).toEqual(one);
      expect(one.path).toMatch(new RegExp(`^/${name}/`));
      expect(one.form).toBeUndefined();
    });

    test.each(all)('for %s has no credentials before it is signed', (_, make) => {
      const { request } = make();
      expect(request.headers).toBeUndefined();
      for (const secret of secrets) expect(JSON.stringify(request)).not.toContain(secret);
      expect(Object.keys(request.query ?? {})).not.toContain('api_key');
    });

    test('shows whether rows are filtered by an instant', () => {
      const filtered = adapter.page({ ...query, since }).request;
      if (adapter.filtersSince) expect(filtered).not.toEqual(adapter.page(query).request);
      else expect(filtered).toEqual(adapter.page(query).request);
    });

    test('for a later page depends on its cursor only, whatever the walk started with', () => {
      expect(adapter.page({ ...behind, since }).request).toEqual(adapter.page(behind).request);
      expect(JSON.stringify(adapter.page(behind).request)).not.toContain('500');
    });
  });

  describe(`${name}: a response of the sandbox`, () => {
    let sandbox: Sandbox;
    let transport: Transport;
    let credentials: Credentials;
    beforeAll(async () => {
      sandbox = await startSandbox();
      sandbox.campaign({
        id: '1',
        size,
        newestMs,
        reports: Object.fromEntries(reports.map((name) => [name, { size }])),
      });
      transport = new Transport({
        baseUrl: sandbox.url,
        userAgent: 'test',
        timeoutMs: 1_000,
        maxResponseBytes: 1_000_000,
      });
      credentials = subject.credentials(sandbox);
    });
    afterAll(async () => {
      transport.close();
      await sandbox.stop();
    });
    const send = ({ request }: Question<unknown>): Promise<Reply> =>
      transport.send(credentials.sign(request).request, 5_000);
    async function answer<T>(question: Question<T>): Promise<T> {
      const reply = await send(question);
      expect(reply.status).toBe(200);
      const parsed = question.parse(reply.body);
      const following = question.following?.(parsed);
      return following ? answer(following) : parsed;
    }

    test.each(all.filter(([what]) => what !== 'a later page'))('to %s is parsed', async (_, make) => {
      await expect(answer(make())).resolves.not.toBeInstanceOf(Error);
    });

    test.each(queries.map((one) => [one.resource, one] as const))(
      'for %s is the same after it was cached',
      async (_, one) => {
        const page = await answer(adapter.page(one));
        expect(page.rows.length).toBeGreaterThan(0);
        const { json } = renderPage('', one, page);
        const rows = readRows(one.resource, json);
        expect(rows).toEqual(page.rows);
        expect(renderPage('', one, { ...page, rows }).json).toBe(json);
      },
    );

    test('is a walk from the first page to the last, newest first, each row once', async () => {
      const dates: string[] = [];
      let pages = 0;
      for (let next: PageQuery | undefined = query; next; pages++) {
        const { rows, cursor: following }: ParsedPage = await answer(adapter.page(next));
        dates.push(...rows.map(({ send_date }) => String(send_date)));
        next = following === undefined ? undefined : nextPage(campaign, following);
      }
      expect(pages).toBe(3);
      expect(new Set(dates).size).toBe(size);
      expect(dates).toEqual(dates.toSorted().reverse());
    });

    test('to a question about an unknown id is a refusal, or empty', async () => {
      const question = adapter.page(firstPage(unknown));
      const reply = await send(question);
      expect(reply.status).toBe(404);
      const { problem } = question.meaningOf({ ...reply, error: readErrorBody(reply.body) });
      expect(problem.code).toBe('campaign-not-found');
    });

    test('is a 401 to every question without credentials', async () => {
      for (const [, make] of all) {
        const question = make();
        const reply = await transport.send(question.request, 5_000);
        expect(reply.status).toBe(401);
        const meaning = question.meaningOf({ ...reply, error: readErrorBody(reply.body) });
        expect(meaning).toMatchObject({ problem: { code: 'upstream-credentials-refused' }, again: 'confirm' });
      }
    });
  });

  describe(`${name}: an error`, () => {
    const bodies: Readonly<Record<ErrorShape, string>> = {
      array: '[{"error_key":"sandbox.fault","error_message":"no"}]',
      object: '{"error_key":"sandbox.fault","error_message":"no"}',
      gateway: '{"message":"no"}',
      html: '<html><body><h1>no</h1></body></html>',
      xml: '<h1>no</h1>',
      nothing: '',
    };
    const meaningOf = (question: Question<unknown>, status: number, body: string, headers = {}) =>
      question.meaningOf({ status, body, headers, error: readErrorBody(body) });

    test.each(errorShapes)('written as %s means what its status says, for any question', (shape) => {
      for (const [what, make] of all) {
        const isOfAccount = ofAccount.some((name) => name === what);
        for (const [status, code, again] of [
          [401, 'upstream-credentials-refused', 'confirm'],
          [403, 'upstream-credentials-refused', 'never'],
          [404, isOfAccount ? 'upstream-failed' : 'campaign-not-found', 'never'],
          [410, 'upstream-gone', 'never'],
          [429, 'upstream-failed', 'retry'],
          [500, 'upstream-failed', 'retry'],
          [503, 'upstream-failed', 'retry'],
        ] as const) {
          expect(meaningOf(make(), status, bodies[shape])).toMatchObject({ problem: { code }, again });
        }
      }
    });

    test.each(errorShapes)('of status 400, written as %s, blames the cursor if there is one', (shape) => {
      expect(meaningOf(adapter.page(behind), 400, bodies[shape]).problem.code).toBe('invalid-cursor');
      expect(meaningOf(adapter.page(query), 400, bodies[shape]).problem.code).toBe('upstream-failed');
    });

    test('that names a limit counts as one; behind a cursor only if no caller can have written it', () => {
      for (const [body, code] of [
        ['{"error_key":"throttled"}', 'upstream-busy'],
        ['[{"error_key":"quota_exceeded"}]', 'upstream-quota-exhausted'],
        ['{"message":"Limit Exceeded"}', 'upstream-quota-exhausted'],
      ] as const) {
        for (const [, make] of all) expect(meaningOf(make(), 429, body).problem.code).toBe(code);
      }
      const echo = '{"x":"","error_key":"quota_exceeded"}';
      expect(meaningOf(adapter.page(query), 429, echo).problem.code).toBe('upstream-quota-exhausted');
      expect(meaningOf(adapter.page(behind), 429, echo).problem.code).toBe('upstream-failed');
    });

    test('in place of an answer is rejected', () => {
      for (const [what, make] of all) {
        for (const body of ['', '<html>', '{"results":', '[']) {
          expect(() => make().parse(body)).toThrow(
            expect.objectContaining({ code: 'upstream-failed', reason: 'malformed' }),
          );
        }
        if (what === 'the neutral question') continue; // Any JSON will do.
        for (const body of ['null', '7', '"x"', '[]']) {
          expect(() => make().parse(body)).toThrow(
            expect.objectContaining({ code: 'upstream-failed', reason: 'schema' }),
          );
        }
      }
    });
  });
}
