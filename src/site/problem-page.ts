/**
 * The page that a problem's `type` points to.
 */
import { type ProblemCode, problems } from '../problems.ts';

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const toHtml = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character] ?? character);

/** Converts a text to HTML; text in backticks becomes code. */
const rich = (text: string) => toHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');

export function problemPage(code: ProblemCode): string {
  const { status, title, detail, remedy } = problems[code];
  return `<!doctype html>
<html lang="en">
  <head>
    <meta charset="utf-8">
    <meta name="viewport" content="width=device-width">
    <title>${toHtml(title)} · Sendgate</title>
    <link rel="icon" href="../assets/site/browser/icon.svg">
    <link rel="stylesheet" href="../assets/site/browser/site.css">
  </head>
  <body>
    <header><a class="brand" href="../">Sendgate</a><nav aria-label="Sendgate"><a href="../docs">API</a></nav></header>
    <main class="text">
      <p class="hint">${status} <code>${code}</code></p>
      <h1>${toHtml(title)}</h1>
      <h2>What happened</h2>
      <p>${rich(detail)}</p>
      <h2>What to do</h2>
      <p>${rich(remedy)}</p>
    </main>
  </body>
</html>
`;
}
