/**
 * A plugin of Swagger UI that mends what axe finds in its markup, so that screen readers can tell its controls apart.
 */

/** What Swagger UI passes of React. */
interface React {
  createElement(type: unknown, properties?: object | null, ...children: readonly unknown[]): unknown;
  readonly Fragment: unknown;
}

type Wrap = (
  original: unknown,
  system: { readonly React: React },
) => (properties: { readonly text?: string }) => unknown;

const wrapComponents: Readonly<Record<string, Wrap>> = {
  // A choice without a name, among one.
  ServersContainer: () => () => null,
  // Outside of the page's landmarks.
  InfoContainer:
    (original, { React }) =>
    (properties) =>
      React.createElement('section', { 'aria-label': 'The API' }, React.createElement(original, properties)),
  // A link inside a button. The address follows what is open without it.
  DeepLink:
    (_original, { React }) =>
    ({ text }) =>
      React.createElement('span', null, text),
  // Tags are headings of the third level, behind a title of the first: one of the second is for screen readers alone.
  operations:
    (original, { React }) =>
    (properties) =>
      React.createElement(
        React.Fragment,
        null,
        React.createElement('h2', { className: 'heard' }, 'Resources'),
        React.createElement(original, properties),
      ),
  // Its title stands beside it and does not name it. `docs.css` hides that one.
  ExamplesSelect:
    (original, { React }) =>
    (properties) =>
      React.createElement('label', null, React.createElement(original, { ...properties, showLabels: true })),
};

export const accessiblePlugin = { wrapComponents };
