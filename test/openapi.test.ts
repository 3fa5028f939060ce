/**
 * The API's description is accurate: every response matches it, and every request that it allows is accepted.
 */
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { Validator } from '@seriousme/openapi-schema-validator';
import { Ajv2020, type ValidateFunction } from 'ajv/dist/2020.js';
import addFormats from 'ajv-formats';
import fc from 'fast-check';
import { problemCodes, problems } from '../src/problems.ts';
import { api, type Harness, idOf, start } from './support/harness.ts';

interface Parameter {
  readonly name: string;
  readonly in: 'path' | 'query' | 'header';
  readonly schema: {
    readonly type: string;
    readonly pattern?: string;
    readonly minimum?: number;
    readonly maximum?: number;
    readonly enum?: readonly string[];
    readonly anyOf?: readonly { readonly format: string }[];
  };
}
interface Described {
  readonly $ref?: string;
  readonly content?: Readonly<Record<string, { readonly schema: object; readonly example?: unknown }>>;
  readonly headers?: Readonly<Record<string, unknown>>;
}
interface Operation {
  readonly operationId: string;
  readonly parameters: readonly Parameter[];
  readonly responses: Readonly<Record<string, Described>>;
}
interface Description {
  readonly paths: Readonly<Record<string, { readonly get: Operation }>>;
  readonly components: { readonly schemas: object; readonly responses: Readonly<Record<string, Described>> };
}

/** `FUZZ_REQUESTS` and `FUZZ_SEED` send more and others. */
const requests = Number(process.env['FUZZ_REQUESTS'] ?? (api === 'v2' ? 600 : 300));
const seed = Number(process.env['FUZZ_SEED'] ?? 20_260_101);
const atOnce = 16;
let it: Harness;
let description: Description;
let ajv: Ajv2020;
const validators = new Map<string, ValidateFunction>();

beforeAll(async () => {
  it = await start({ SENDGATE_QUOTA_PER_DAY: '10000000', SENDGATE_EXPORTS_PER_TEAM: '1000' });
  it.sandbox.campaign({ id: '1', size: 1_300, newestMs: Date.now() - 86_400_000 });
  it.sandbox.campaign({ id: '2', size: 0, newestMs: Date.now() });
  description = (await (await it.get('/openapi.json')).json()) as Description;
  ajv = new Ajv2020({ strict: false, allErrors: true });
  (addFormats as unknown as (ajv: Ajv2020) => void)(ajv);
  ajv.addSchema(description, 'api');
});
afterAll(() => it.close());

/** Checks against a part of the description, by its JSON pointer. */
function validatorAt(pointer: readonly string[]): ValidateFunction {
  const ref = `api#/${pointer.map((part) => encodeURIComponent(part.replaceAll('~', '~0').replaceAll('/', '~1'))).join('/')}`;
  let validator = validators.get(ref);
  if (!validator) {
    validator = ajv.compile({ $ref: ref });
    validators.set(ref, validator);
  }
  return validator;
}

describe('the description', () => {
  test('is valid OpenAPI 3.1', async () => {
    const { valid, errors } = await new Validator().validate(structuredClone(description) as never);
    expect(errors ?? []).toEqual([]);
    expect(valid).toBe(true);
    expect(description).toMatchObject({ openapi: '3.1.0' });
  });

  test('lists every problem, each with a valid example', () => {
    const { responses } = description.components;
    expect(Object.keys(responses).slice(0, problemCodes.length)).toEqual([...problemCodes]);
    for (const code of problemCodes) {
      const at = ['components', 'responses', code, 'content', 'application/problem+json'];
      const { examples } = (responses[code]?.content?.['application/problem+json'] ?? {}) as {
        examples: Record<string, { value: { type: string } }>;
      };
      const validate = validatorAt([...at, 'schema']);
      expect([code, validate(examples[code]?.value), validate.errors]).toEqual([code, true, null]);
    }
  });

  test('has examples that match their schemas', () => {
    for (const [path, { get }] of Object.entries(description.paths)) {
      for (const [type, { example }] of Object.entries(get.responses['200']?.content ?? {})) {
        const validate = validatorAt(['paths', path, 'get', 'responses', '200', 'content', type, 'schema']);
        expect([path, validate(example), validate.errors]).toEqual([path, true, null]);
      }
    }
  });

  test('lists each path once, and no value that Swagger UI would send unasked', () => {
    for (const { get, ...others } of Object.values(description.paths)) {
      expect(others).toEqual({});
      for (const parameter of get.parameters) {
        expect(parameter).not.toHaveProperty('example');
        expect(parameter.schema).not.toHaveProperty('default');
        expect(parameter.schema).not.toHaveProperty('examples');
      }
    }
  });

  test.each(problemCodes)(
    'links to a page for %s: what happened, what to do, who has to, as HTML and as text',
    async (code) => {
      const page = async (accept: string) => {
        const answer = await fetch(`${it.url}/problems/${code}`, { headers: { accept } });
        expect([answer.status, answer.headers.get('vary')]).toEqual([200, 'Accept, Accept-Encoding']);
        return { type: answer.headers.get('content-type'), text: await answer.text() };
      };
      const [html, text] = [await page('text/html,application/xhtml+xml,*/*;q=0.8'), await page('*/*')];
      expect([html.type, text.type]).toEqual(['text/html; charset=utf-8', 'text/plain; charset=utf-8']);
      const { title, detail, remedy } = problems[code];
      expect(text.text).toMatch(
        /^.+\n\nWhat happened\n .+\n\nWhat to do\n .+\n\nWho has to do it\n .*(You, |operators: |Constant Contact\. ).+\n\nAPI reference: \/docs\n$/,
      );
      for (const said of [title, detail, remedy]) expect(text.text).toContain(said);
      expect(html.text.match(/<h2>.*<\/h2>/g)).toHaveLength(3);
      expect(html.text).toContain('href="../docs"');
      expect(html.text).not.toContain('`');
    },
  );

  test('links to no page that does not exist', async () => {
    const unknown = await fetch(`${it.url}/problems/nothing`);
    expect(unknown.status).toBe(404);
    expect(await unknown.json()).toMatchObject({ type: '/problems/not-found' });
  });

  test('is the same for every caller, and compressed', async () => {
    const answer = await it.get('/openapi.json', { 'accept-encoding': 'gzip' });
    expect(answer.headers.get('content-encoding')).toBe('gzip');
    const etag = answer.headers.get('etag') ?? '';
    expect((await it.get('/openapi.json', { 'if-none-match': etag })).status).toBe(304);
    expect((await fetch(`${it.url}/openapi.json`, { method: 'POST' })).status).toBe(405);
  });
});

/** A request, and whether all of it is as the description has it. */
interface Fuzz {
  readonly path: string;
  readonly method: 'get' | 'head';
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly isValid: boolean;
}

/** Values that a schema allows. */
function valid({ name, schema }: Parameter): fc.Arbitrary<string> {
  if (name === 'id') {
    return fc.oneof(
      { weight: 6, arbitrary: fc.constantFrom('1', '2', '404').map(idOf) },
      { weight: 1, arbitrary: fc.stringMatching(new RegExp(schema.pattern ?? '')) },
    );
  }
  if (schema.enum) return fc.constantFrom(...schema.enum);
  if (schema.type === 'integer') return fc.integer({ min: schema.minimum ?? 0, max: schema.maximum ?? 1 }).map(String);
  if (schema.anyOf) {
    const [min, max] = [new Date('0001-01-02'), new Date('9999-12-30')];
    const instant = fc.date({ min, max, noInvalidDate: true }).map((date) => date.toISOString());
    const recent = fc.integer({ min: 0, max: 90 }).map((day) => new Date(Date.now() - day * 86_400_000).toISOString());
    return fc.oneof(
      instant,
      recent,
      instant.map((text) => text.slice(0, 10)),
      instant.map((text) => text.replace(/Z$/, '-07:00')),
    );
  }
  if (schema.pattern) return fc.stringMatching(new RegExp(schema.pattern), { maxLength: 60 });
  return fc.constantFrom('no-cache', 'max-age=0', 'W/"x"', '*', 'max-age=99999999999999', '"', '');
}

const pools = new Map<string, readonly string[]>();

/** Some of them: strings that match a pattern are slow to make. */
function pool(parameter: Parameter): readonly string[] {
  const key = JSON.stringify(parameter);
  const known = pools.get(key) ?? fc.sample(valid(parameter), 300);
  pools.set(key, known);
  return known;
}

/** Values that most schemas reject. */
const junk = fc.oneof(
  fc.constantFrom(
    '',
    '0',
    '-1',
    '501',
    '1e2',
    '2026-02-30',
    'null',
    '..',
    '%',
    '%00',
    '%ff',
    '../../etc',
    'é',
    '1'.repeat(3_000),
  ),
  fc.string({ unit: 'binary', maxLength: 40 }),
  fc.string({ maxLength: 40 }),
);

const extra = fc.constantFrom(
  'limit',
  'next',
  'created_since',
  'modified_since',
  'link_id',
  'status',
  'api_key',
  'offset',
  '__proto__',
  'constructor',
  'id',
  '',
);
const accept = fc.constantFrom(
  '*/*',
  'application/json',
  'text/csv',
  'text/html',
  'application/x-ndjson',
  'nonsense',
  '',
  ';q',
);

function fuzz(): fc.Arbitrary<Fuzz> {
  // HEAD is GET without content: the description lists GET alone.
  const operations = Object.entries(description.paths).flatMap(([path, { get: operation }]) =>
    (['get', 'head'] as const).map((method) => ({ path, method, operation })),
  );
  return fc.constantFrom(...operations).chain(({ path, method, operation: { parameters } }) => {
    const values = parameters.map((parameter) => {
      const isHeader = parameter.in === 'header';
      const given = fc.constantFrom(...pool(parameter)).map((value) => ({ parameter, value, isValid: true }));
      const wrong = junk.map((value) => ({
        parameter,
        value: isHeader ? value.replace(/[^\x20-\x7e]/g, '') : value,
        isValid: false,
      }));
      const some = fc.oneof({ weight: 5, arbitrary: given }, { weight: 1, arbitrary: wrong });
      return parameter.in === 'path' ? some : fc.option(some, { nil: undefined });
    });
    return fc
      .record({
        values: fc.tuple(...values),
        extras: fc.oneof(
          { weight: 6, arbitrary: fc.constant([]) },
          { weight: 1, arbitrary: fc.array(fc.tuple(extra, junk), { maxLength: 3 }) },
        ),
        accept: fc.oneof({ weight: 6, arbitrary: fc.constant('*/*') }, { weight: 1, arbitrary: accept }),
      })
      .map(({ values, extras, accept }) => {
        let target = path;
        const search = new URLSearchParams();
        const headers: Record<string, string> = { accept };
        for (const one of values) {
          if (!one) continue;
          if (one.parameter.in === 'path')
            target = target.replace('{id}', encodeURIComponent(one.value.replace(/\p{Surrogate}/gu, '')));
          else if (one.parameter.in === 'query') search.append(one.parameter.name, one.value);
          else headers[one.parameter.name] = one.value;
        }
        for (const [name, value] of extras) search.append(name, value);
        const isValid = values.every((one) => one?.isValid ?? true) && extras.length === 0 && accept === '*/*';
        return { path, method, target: search.size === 0 ? target : `${target}?${search}`, headers, isValid };
      });
  });
}

/** Whether a target is of this path: without an id, or with dots for one, it is of another, which has its requests elsewhere. */
function isBelow(path: string, target: string): boolean {
  const pattern = path.replaceAll('.', '\\.').replace('{id}', '[^/]+');
  return new RegExp(`^${pattern}$`).test(new URL(target, it.url).pathname);
}

/** Returns a mismatch between response and description; undefined if there is none. */
async function outside({ path, method, target, headers, isValid }: Fuzz): Promise<string | undefined> {
  const answer = await fetch(`${it.url}${target}`, { method: method.toUpperCase(), headers: { ...headers } });
  const text = await answer.text();
  const { status } = answer;
  if (status >= 500) return `status ${status}: ${text}`;
  if (!isBelow(path, target)) return undefined;
  // An id with a slash or dots in it is another path.
  const isElsewhere = status === 404 && text.includes('/problems/not-found');
  const { response, pointer } = isElsewhere ? responseAt('#/components/responses/not-found') : responseOf(path, status);
  if (!response) return `status ${status} is not described`;
  if (isValid && status === 400 && text.includes('invalid-request')) return `refused, though described: ${text}`;
  for (const name of answer.headers.keys()) {
    const isOurs = /^(etag|age|link|cache-status|ratelimit.*|retry-after|last-modified|content-disposition)$/.test(
      name,
    );
    const described = Object.keys(response.headers ?? {}).some((one) => one.toLowerCase() === name);
    if (isOurs && !described) return `header ${name} is not described`;
  }
  if (method === 'head' || status === 304) return text === '' ? undefined : 'a body where there is none';
  const type = answer.headers.get('content-type')?.split(';')[0] ?? '';
  if (!response.content?.[type]) return `${type} is not described`;
  const validate = validatorAt([...pointer, 'content', type, 'schema']);
  return validate(type.endsWith('json') && !type.includes('ndjson') ? JSON.parse(text) : text)
    ? undefined
    : ajv.errorsText(validate.errors);
}

/** A response in the components, by its reference. */
function responseAt(reference: string) {
  const name = reference.split('/').at(-1) ?? '';
  return { response: description.components.responses[name], pointer: ['components', 'responses', name] };
}

/** A response of an operation; errors are references. */
function responseOf(path: string, status: number) {
  const response = description.paths[path]?.get.responses[status];
  if (response?.$ref !== undefined) return responseAt(response.$ref);
  return { response, pointer: ['paths', path, 'get', 'responses', String(status)] };
}

test(`no answer to ${requests.toLocaleString('en')} requests contradicts the description, and none is a 5xx`, async () => {
  const all = fc.sample(fuzz(), { numRuns: requests, seed });
  const found: string[] = [];
  const statuses = new Map<string, number>();
  const next = all[Symbol.iterator]();
  const work = async () => {
    for (let one = next.next(); !one.done; one = next.next()) {
      const request = one.value;
      const problem = await outside(request);
      const kind = `${request.isValid}`;
      statuses.set(kind, (statuses.get(kind) ?? 0) + 1);
      if (problem !== undefined)
        found.push(`${request.method} ${request.target} ${JSON.stringify(request.headers)}: ${problem}`);
    }
  };
  await Promise.all(Array.from({ length: atOnce }, work));
  expect([seed, found.slice(0, 5)]).toEqual([seed, []]);
  // Both kinds occurred, or the test shows nothing.
  expect(statuses.get('true')).toBeGreaterThan(requests / 4);
  expect(statuses.get('false')).toBeGreaterThan(requests / 4);
}, 240_000);
