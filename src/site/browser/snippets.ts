/**
 * The request that was tried, as code: with nothing to install, each snippet runs as it stands, but for the token.
 */
import { shell } from './shell.ts';
import type { Wrap } from './swagger.ts';

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

const languages = [
  { title: 'curl', syntax: 'bash', write: curl },
  { title: 'JavaScript', syntax: 'javascript', write: javascript },
  { title: 'Python', syntax: 'python', write: python },
];

export const snippetsOf = (request: TriedRequest) =>
  languages.map(({ title, syntax, write }) => ({ title, syntax, code: write(request.get('url'), headersOf(request)) }));

/** In place of Swagger UI's, whose languages cannot be chosen by keyboard. */
export const requestSnippets: Wrap<{ readonly request: TriedRequest }> =
  (_original, { React: { createElement, useState }, getComponent }) =>
  ({ request }) => {
    const [chosen, choose] = useState('curl');
    const snippets = snippetsOf(request);
    const shown = snippets.find(({ title }) => title === chosen);
    return createElement(
      'div',
      { className: 'request-snippets' },
      createElement('h4', null, 'Snippets'),
      createElement(
        'div',
        { role: 'group', 'aria-label': 'Language' },
        snippets.map(({ title }) =>
          createElement(
            'button',
            { key: title, className: 'btn', 'aria-pressed': title === chosen, onClick: () => choose(title) },
            title,
          ),
        ),
      ),
      createElement(getComponent('HighlightCode', true), { canCopy: true, language: shown?.syntax }, shown?.code),
    );
  };
