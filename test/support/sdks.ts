/**
 * How the archived v2 SDKs and other programs call: what each of them sends for a first page, and for the link in its answer.
 */
import { Agent, request } from 'node:http';
import { gunzipSync } from 'node:zlib';

export interface SdkCall {
  readonly target: string;
  readonly headers: Readonly<Record<string, string>>;
  readonly body?: string;
}

export interface FirstPage {
  readonly path: string;
  readonly limit: number;
  readonly since?: Date;
}

export interface Keys {
  readonly apiKey: string;
  readonly token: string;
}

export interface Style {
  readonly name: string;
  /** @param base path of the address that the SDK was given for Constant Contact's */
  first(base: string, page: FirstPage, keys: Keys): SdkCall;
  follow(base: string, link: string, path: string, keys: Keys): SdkCall;
}

type Pairs = readonly (readonly [string, string])[];
type Encode = (text: string) => string;

const query = (pairs: Pairs, encode: Encode) => pairs.map(([name, value]) => `${name}=${encode(value)}`).join('&');
const plain = encodeURIComponent;
/** Of forms: PHP's and Java's. */
const form: Encode = (text) => plain(text).replaceAll('%20', '+').replaceAll('~', '%7E');
const ruby: Encode = (text) => form(text).replaceAll('.', '%2E').replaceAll('-', '%2D');
const json = { 'content-type': 'application/json', accept: 'application/json' };
const bearer = ({ token }: Keys) => ({ authorization: `Bearer ${token}` });
/** What stands behind `?next=`, as it stands there. */
const rawCursor = (link: string) => link.slice(link.indexOf('?') + '?next='.length);

/** Python's `isoformat()` of a naive datetime: no zone, and microseconds only where there are some. */
const isoformat = (date: Date) =>
  date.getTime() % 1000 === 0 ? date.toISOString().slice(0, 19) : `${date.toISOString().slice(0, 23)}000`;
const offset = (date: Date) => `${new Date(date.getTime() + 2 * 3_600_000).toISOString().slice(0, 23)}+0200`;
const milliseconds = (date: Date) => date.toISOString();

/** An SDK that makes a new query out of the cursor. */
function asking(name: string, spell: (date: Date) => string, toSearch: (pairs: Pairs, keys: Keys) => string): Style {
  const call = (base: string, path: string, pairs: Pairs, keys: Keys): SdkCall => ({
    target: `${base}/v2/${path}?${toSearch(pairs, keys)}`,
    headers: { ...json, ...bearer(keys), 'user-agent': 'AppConnect', 'x-ctct-request-source': 'sdk' },
  });
  return {
    name,
    first: (base, { path, limit, since }, keys) =>
      call(base, path, [['limit', String(limit)], ...sincePair(since, spell)], keys),
    follow: (base, link, path, keys) => call(base, path, [['next', rawCursor(link)]], keys),
  };
}

const sincePair = (since: Date | undefined, spell: (date: Date) => string): Pairs =>
  since === undefined ? [] : [['created_since', spell(since)]];

export const styles: readonly Style[] = [
  asking('Ruby', milliseconds, (pairs, { apiKey }) => query([...pairs, ['api_key', apiKey] as const].reverse(), ruby)),
  asking('PHP 1', offset, (pairs, { apiKey }) => query([['api_key', apiKey], ...pairs], form)),
  asking('PHP 2', offset, (pairs, { apiKey }) => query([['api_key', apiKey], ...pairs], plain)),
  asking('PHP 3', offset, (pairs, { apiKey }) => query([...pairs, ['api_key', apiKey]], plain)),
  {
    name: 'Java 4',
    first: (base, { path, limit, since }, keys) => ({
      target: `${base}/v2/${path}?${query([['limit', String(limit)], ...sincePair(since, milliseconds)], form)}&api_key=${keys.apiKey}`,
      headers: { ...json, ...bearer(keys), 'keep-alive': 'header' },
    }),
    follow: (base, link, _, keys) => ({
      target: `${base}${link}&api_key=${keys.apiKey}`,
      headers: { ...json, ...bearer(keys), 'keep-alive': 'header' },
    }),
  },
  {
    name: 'Java 5',
    first: (base, { path, limit, since }, keys) => ({
      target: `${base}/v2/${path}?${query([...sincePair(since, milliseconds), ['limit', String(limit)], ['api_key', keys.apiKey]], plain)}`,
      headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip', ...bearer(keys) },
    }),
    follow: (base, link, _, keys) => {
      const url = new URL(link.slice(1), `http://host${base}/`);
      return {
        target: `${url.pathname}${url.search}&api_key=${keys.apiKey}`,
        headers: { 'content-type': 'application/json', 'accept-encoding': 'gzip', ...bearer(keys) },
      };
    },
  },
  {
    name: 'Python',
    first: (base, { path, limit, since }, keys) => ({
      target: `${base}/v2/${path}?${query([['limit', String(limit)], ...sincePair(since, isoformat), ['api_key', keys.apiKey]], form)}`,
      headers: {
        accept: '*/*',
        'accept-encoding': 'gzip, deflate',
        'content-type': 'application/json',
        'content-length': '2',
        ...bearer(keys),
      },
      body: '[]',
    }),
    // Its following calls have no key.
    follow: (base, link, _, keys) => ({
      target: `${base}/v2/${link.split('/').slice(2).join('/')}`,
      headers: { accept: '*/*', 'accept-encoding': 'gzip, deflate', ...bearer(keys) },
    }),
  },
  {
    name: '.NET',
    first: (base, { path, limit, since }, keys) => ({
      target: `${base}/v2/${path}?${query([['limit', String(limit)], ...sincePair(since, milliseconds)], form)}&api_key=${keys.apiKey}`,
      headers: { ...json, ...bearer(keys) },
    }),
    follow: (base, link, _, keys) => ({
      target: `${base}/v2/${link.replaceAll('/v2/', '')}&api_key=${keys.apiKey}`,
      headers: { ...json, ...bearer(keys) },
    }),
  },
  {
    name: 'a program with its token in the query, a slash at the end and a body in chunks',
    first: (base, { path, limit, since }, { apiKey, token }) => ({
      target: `${base}/v2/${path}/?access_token=${plain(token)}&${query([['limit', String(limit)], ...sincePair(since, isoformat)], plain)}&api_key=${apiKey}`,
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      body: '{}',
    }),
    follow: (base, link, _, { apiKey, token }) => ({
      target: `${base}${link.replace('?', '/?')}&%61ccess_token=${plain(token)}&api%5fkey=${apiKey}`,
      headers: { 'content-type': 'application/json', 'transfer-encoding': 'chunked' },
      body: '{}',
    }),
  },
  {
    name: 'a program that encodes the cursor twice over',
    first: (base, { path, limit, since }, keys) => ({
      target: `${base}/v2/${path}?${query([['limit', String(limit)], ...sincePair(since, isoformat)], plain)}`,
      headers: { accept: '*/*', ...bearer(keys) },
    }),
    follow: (base, link, path, keys) => ({
      target: `${base}/v2/${path}?next=${[1, 2, 3].reduce((text) => ruby(text), rawCursor(link)).replaceAll('+', '%2B')}`,
      headers: { accept: '*/*', ...bearer(keys) },
    }),
  },
];

export interface SdkAnswer {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly text: string;
}

/** One connection, on which call follows call: what one of them leaves unread would be taken for the next. */
export function connection(url: string) {
  const { hostname, port } = new URL(url);
  const agent = new Agent({ keepAlive: true, maxSockets: 1 });
  const send = ({ target, headers, body }: SdkCall, method = 'GET') =>
    new Promise<SdkAnswer>((resolve, reject) => {
      const asked = request({ hostname, port, path: target, method, headers, agent }, (res) => {
        const parts: Buffer[] = [];
        res.on('data', (part) => parts.push(part));
        res.on('error', reject);
        res.on('end', () => {
          const content = Buffer.concat(parts);
          const text = res.headers['content-encoding'] === 'gzip' ? gunzipSync(content) : content;
          const fields = res.headers as Record<string, string | undefined>;
          resolve({ status: res.statusCode ?? 0, headers: fields, text: text.toString() });
        });
      });
      asked.on('error', reject).end(body);
    });
  return { send, close: () => agent.destroy() };
}
