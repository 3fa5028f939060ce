/**
 * The API reference: Swagger UI on `openapi.json`, in the page's colours.
 */
import { accessiblePlugin } from './accessible.ts';

/** A separate script tag loads it; only this part is used. */
declare const SwaggerUIBundle: (options: {
  readonly url: string;
  readonly dom_id: string;
  /** Without it, Swagger UI sends the description to the vendor's validator. */
  readonly validatorUrl: null;
  readonly deepLinking: boolean;
  readonly syntaxHighlight: { readonly theme: string };
  /** Shows the request of *Try it out* as code. */
  readonly requestSnippetsEnabled: true;
  readonly plugins: readonly object[];
}) => unknown;

/** Swagger UI has a dark form, and leaves to the page when to use it. */
const dark = matchMedia('(prefers-color-scheme: dark)');
const follow = () => document.documentElement.classList.toggle('dark-mode', dark.matches);
dark.addEventListener('change', follow);
follow();

SwaggerUIBundle({
  url: 'openapi.json',
  dom_id: '#reference',
  validatorUrl: null,
  deepLinking: true,
  syntaxHighlight: { theme: 'obsidian' }, // Its colours are legible.
  requestSnippetsEnabled: true,
  plugins: [accessiblePlugin],
});
