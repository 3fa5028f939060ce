/**
 * A plugin of Swagger UI that mends its markup: the keyboard reaches each control and keeps the focus, and screen readers can
 * tell the controls apart and hear of each answer.
 */
import { say } from './page.ts';
import { requestSnippets } from './snippets.ts';
import type { Wrap } from './swagger.ts';
import { tokenDialog } from './token-dialog.ts';

/** Long code scrolls, which not every browser lets the keyboard do. A panel that holds it is no further stop. */
const asReachable = (element: HTMLElement | null) => {
  const code = element?.querySelector('pre');
  if (code) Object.assign(code, { tabIndex: 0, role: 'group', ariaLabel: 'Code' });
  element?.closest('[role=tabpanel]')?.removeAttribute('tabindex');
};

const focusFirst = ({ currentTarget }: { readonly currentTarget: HTMLElement }) =>
  currentTarget.parentElement?.querySelector('button')?.focus();

/** Swagger UI marks a field 40 ms after a request could not be sent without it. */
const markedAfterMs = 100;

/** Only that mark says that nothing was sent, and it may be out of sight. */
const focusInvalid = ({ currentTarget }: { readonly currentTarget: HTMLElement }) => {
  const operation = currentTarget.closest('.opblock');
  setTimeout(() => operation?.querySelector<HTMLElement>('.parameters .invalid')?.focus(), markedAfterMs);
};

/** Removes the role of a table that has one: it is no region, and a reader shall hear of its rows. */
const asTable = (element: HTMLElement | null) => element?.querySelector('table[role]')?.removeAttribute('role');

const wrapComponents: Readonly<Record<string, Wrap<never>>> = {
  RequestSnippets: requestSnippets,
  authorizationPopup: tokenDialog,
  // A choice without a name, among one.
  ServersContainer: () => () => null,
  // Outside of the page's landmarks.
  InfoContainer:
    (original, { React }) =>
    (properties: object) =>
      React.createElement('section', { 'aria-label': 'The API' }, React.createElement(original, properties)),
  // A link inside a button. The address follows what is open without it.
  DeepLink:
    (_original, { React }) =>
    ({ text }: { readonly text: string }) =>
      React.createElement('span', null, text),
  // Tags are headings of the third level, behind a title of the first: one of the second is for screen readers alone.
  operations:
    (original, { React }) =>
    (properties: object) =>
      React.createElement(
        React.Fragment,
        null,
        React.createElement('h2', { className: 'heard' }, 'Resources'),
        React.createElement(original, properties),
      ),
  // Its title stands beside it and does not name it. `docs.css` hides that one.
  ExamplesSelect:
    (original, { React }) =>
    (properties: object) =>
      React.createElement('label', null, React.createElement(original, { ...properties, showLabels: true })),
  // A placeholder at most names a parameter's field.
  JsonSchemaForm:
    (original, { React }) =>
    (properties: { readonly description: string }) =>
      React.createElement(
        'label',
        null,
        React.createElement('span', { className: 'heard' }, properties.description),
        React.createElement(original, properties),
      ),
  HighlightCode:
    (original, { React }) =>
    (properties: object) =>
      React.createElement('div', { ref: asReachable }, React.createElement(original, properties)),
  // A button that is disabled while an answer is awaited loses the focus,
  execute:
    (original, { React }) =>
    (properties: object) =>
      React.createElement(
        'div',
        { style: { display: 'contents' }, onClick: focusInvalid },
        React.createElement(original, { ...properties, disabled: false }),
      ),
  // and so does one that goes when it is pressed: the one beside it, *Execute*, takes the focus.
  clear:
    (original, { React }) =>
    (properties: object) =>
      React.createElement(
        'div',
        { style: { display: 'contents' }, onClick: focusFirst },
        React.createElement(original, properties),
      ),
  responses:
    (original, { React }) =>
    (properties: object) =>
      React.createElement('div', { ref: asTable }, React.createElement(original, properties)),
  // The button that opens an answer's schema has no other name.
  JSONSchema202012KeywordTitle:
    (original, { React }) =>
    (properties: { readonly title?: unknown; readonly schema?: { readonly title?: string } }) =>
      React.createElement(original, { ...properties, title: properties.title || properties.schema?.title || 'Schema' }),
};

interface Answer {
  readonly status: number;
  readonly statusText: string;
  /** Undefined if it is not JSON. */
  readonly body?: { readonly title?: string };
}

/** What Swagger UI keeps of a request that was tried. */
type Tried = Answer | { readonly error: true; readonly err: { readonly response?: Answer } };

/** `Answer: 404, Campaign not found.` */
function answerInWords(tried: Tried): string {
  const answer = 'error' in tried ? tried.err.response : tried;
  if (!answer) return 'No answer: the connection failed.';
  return `Answer: ${[answer.status, answer.body?.title || answer.statusText].filter(Boolean).join(', ')}.`;
}

type Action = (...values: readonly unknown[]) => unknown;

const wrapActions = {
  // Between two answers it is empty: the same words again would not be read out.
  execute:
    (original: Action): Action =>
    (...values) => {
      say('answer', '');
      return original(...values);
    },
  setResponse:
    (original: Action) =>
    (path: string, method: string, tried: Tried): unknown => {
      say('answer', answerInWords(tried));
      return original(path, method, tried);
    },
};

export const accessiblePlugin = { wrapComponents, statePlugins: { spec: { wrapActions } } };
