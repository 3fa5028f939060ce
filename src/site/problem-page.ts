/**
 * The page that a problem's `type` points to: what happened, what to do, and who has to. HTML for browsers, text for a terminal.
 */
import { preferredType } from '../http/negotiation.ts';
import { type Actor, type ProblemCode, problems } from '../problems.ts';
import { File } from './files.ts';

/** For readers of a dashboard, too: they are often the first to see a problem. */
const actors: Readonly<Record<Actor, string>> = {
  caller:
    'You, if you wrote the program that sent the request. If you use a dashboard that somebody else made, send this page to them.',
  operators:
    "Sendgate's operators: the people who run it in your company. Send them this page, with the request id (`instance`) of the error.",
  'Constant Contact':
    "Constant Contact. Wait: neither callers nor Sendgate's operators can end this. If it lasts for hours, tell your operators, who can ask Constant Contact's support.",
};

/** A page in its two forms. */
interface ProblemPage {
  readonly html: File;
  readonly text: File;
}

/** Chooses text unless `Accept` prefers HTML, as browsers do: curl accepts everything. */
export const chooseForm = ({ html, text }: ProblemPage, accept: string | undefined): File =>
  preferredType(['text/plain', 'text/html'], accept) === 'text/html' ? html : text;

export function problemPage(code: ProblemCode, basePath: string): ProblemPage {
  const { status, title, detail, remedy, actor } = problems[code];
  const sections = [
    ['What happened', detail],
    ['What to do', remedy],
    ['Who has to do it', actors[actor]],
  ] as const;
  const file = (extension: string, text: string) => new File(extension, Buffer.from(text), 'Accept, Accept-Encoding');
  const written = sections.map(([heading, text]) => `${heading}\n  ${text}\n`);
  return {
    html: file('.html', htmlOf(code, sections)),
    text: file('.txt', `${title} (${status} ${code})\n\n${written.join('\n')}\nAPI reference: ${basePath}/docs\n`),
  };
}

const entities: Readonly<Record<string, string>> = { '&': '&amp;', '<': '&lt;', '>': '&gt;', '"': '&quot;' };
const toHtml = (text: string) => text.replace(/[&<>"]/g, (character) => entities[character] ?? character);

/** Converts a text to HTML; text in backticks becomes code. */
const rich = (text: string) => toHtml(text).replace(/`([^`]+)`/g, '<code>$1</code>');

function htmlOf(code: ProblemCode, sections: readonly (readonly [heading: string, text: string])[]): string {
  const { status, title } = problems[code];
  const written = sections.map(([heading, text]) => `      <h2>${heading}</h2>\n      <p>${rich(text)}</p>`);
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
    <header>
      <a class="brand" href="../">Sendgate</a>
      <nav aria-label="Sendgate"><a href="../#campaigns">Campaigns</a> <a href="../#live">Live</a> <a href="../docs">API</a></nav>
    </header>
    <main class="text">
      <p class="hint">${status} <code>${code}</code></p>
      <h1>${toHtml(title)}</h1>
${written.join('\n')}
      <p><a href="../docs">All operations, with their parameters and errors</a></p>
    </main>
  </body>
</html>
`;
}
