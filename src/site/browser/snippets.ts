/**
 * The request that was tried, as code: with nothing to install, each snippet runs as it stands, but for the token.
 */
import { shell } from './shell.ts';

/** What Swagger UI passes. */
interface TriedRequest {
  get(name: 'url'): string;
  get(name: 'headers'): { toObject(): Readonly<Record<string, string>> } | undefined;
}

type Headers = readonly (readonly [name: string, value: string])[];

/** A token is the caller's secret: code is copied into chats and tickets. */
const headersOf = (request: TriedRequest): Headers =>
  Object.entries(request.get('headers')?.toObject() ?? {}).map(([name, value]) => [
    name,
    name.toLowerCase() === 'authorization' ? 'Bearer YOUR_TOKEN' : value,
  ]);

const isExport = (url: string) => /\.(csv|ndjson)(\?|$)/.test(url);

const curl = (url: string, headers: Headers) =>
  ['curl -sS', ...headers.map(([name, value]) => `-H ${shell(`${name}: ${value}`)}`), shell(url)].join(' \\\n  ');

// JSON's strings and objects of strings are JavaScript's and Python's, too.
const javascript = (url: string, headers: Headers) =>
  `const answer = await fetch(${JSON.stringify(url)}, {
  headers: ${JSON.stringify(Object.fromEntries(headers))},
});
console.log(await answer.${isExport(url) ? 'text' : 'json'}());`;

const python = (url: string, headers: Headers) =>
  `${isExport(url) ? '' : 'import json\n'}from urllib.request import Request, urlopen

request = Request(${JSON.stringify(url)}, headers=${JSON.stringify(Object.fromEntries(headers))})
with urlopen(request) as answer:
    print(${isExport(url) ? 'answer.read().decode()' : 'json.load(answer)'})`;

const languages = {
  curl: { title: 'curl', syntax: 'bash', write: curl },
  javascript: { title: 'JavaScript', syntax: 'javascript', write: javascript },
  python: { title: 'Python', syntax: 'python', write: python },
} as const;

/** Swagger UI's setting `requestSnippets`. */
export const requestSnippets = { generators: languages, languages: Object.keys(languages) };

/** A plugin of Swagger UI: it finds the function of each language by this name. */
export const snippetPlugin = {
  fn: Object.fromEntries(
    Object.entries(languages).map(([name, { write }]) => [
      `requestSnippetGenerator_${name}`,
      (request: TriedRequest) => write(request.get('url'), headersOf(request)),
    ]),
  ),
};
