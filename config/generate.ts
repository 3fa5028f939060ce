/**
 * `npm run generate`: writes what is made from the schemas of the settings and of the API. Tests fail until it was run.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { compile, type JSONSchema } from 'json-schema-to-typescript';
import { schema } from '../src/config/schema.ts';
import { jsonSchema, settings } from '../src/config/settings.ts';
import { allReports } from '../src/model/reports.ts';
import { describeApi } from '../src/site/openapi/description.ts';
import { capital } from '../src/site/openapi/list-paths.ts';

const file = (path: string) => new URL(path, import.meta.url);

/** The files that are made, by path from here. */
export function generated(): Readonly<Record<string, string>> {
  const table = settings().map(({ path, variable, preset, doc, isLive }) => {
    const shown = Array.isArray(preset) ? preset.join(', ') : String(preset);
    return `| \`${path}\` | \`${variable}\` | ${shown === '' ? '(none)' : `\`${shown}\``} | ${isLive ? 'yes' : ''} | ${doc} |`;
  });
  const operations = readFileSync(file('../docs/operations.md'), 'utf8');
  const marks = /(<!-- settings -->\n)[\s\S]*?(<!-- end of settings -->)/;
  return {
    'default.json': `${JSON.stringify({ $schema: './schema.json', ...schema.parse({}) }, null, 2)}\n`,
    'schema.json': `${JSON.stringify(withSchemaKey(jsonSchema()), withoutLive, 2)}\n`,
    '../docs/operations.md': operations.replace(
      marks,
      (_, open, close) =>
        `${open}${['| setting | variable | default | live | meaning |', '|---|---|---|---|---|', ...table].join('\n')}\n${close}`,
    ),
  };
}

/** Editors find the schema by the `$schema` key, so that key is allowed. */
function withSchemaKey(json: object): object {
  const { properties, ...rest } = json as { properties: object };
  return { ...rest, properties: { $schema: { type: 'string' }, ...properties } };
}

/** `live` is for the table of the settings: no keyword of JSON Schema. */
const withoutLive = (key: string, value: unknown) => (key === 'live' ? undefined : value);

/** The types of the client, out of the description of the API. */
export async function clientTypes(): Promise<string> {
  const api = describeApi({ version: '', basePath: '', campaignIds: { pattern: /^/, allowed: '' } });
  const { schemas } = api['components'] as { schemas: Record<string, JSONSchema> };
  const definitions = JSON.parse(JSON.stringify(schemas).replaceAll('#/components/schemas/', '#/definitions/'));
  const types = await compile({ definitions, type: 'object', additionalProperties: false }, 'Nothing', {
    bannerComment: '/* What is in the answers. Made by `npm run generate`, out of the description of the API. */\n',
    unreachableDefinitions: true,
    style: { singleQuote: true, printWidth: 120 },
  });
  const written = types
    .replace(/export interface Nothing \{\}\n/, '')
    .replaceAll(/^\/\*\*\n \* This interface was referenced.*\n.*\n \*\/\n/gm, '');
  return `${written}${reportTypes()}`;
}

/** The reports by name, with the type of their rows. */
function reportTypes(): string {
  const rows = allReports.map(({ name, rowName }) => `  ${name}: ${capital(rowName)};`);
  const names = allReports.map(({ name }) => `'${name}'`);
  const declaration = 'export const reportNames: readonly (keyof Rows)[] = [';
  const inOneLine = `${declaration}${names.join(', ')}];`;
  return [
    '/** The row of each report. */',
    ...['export interface Rows {', ...rows, '}'],
    '/** All reports. */',
    ...(inOneLine.length <= 120 ? [inOneLine] : [declaration, ...names.map((name) => `  ${name},`), '];']),
    '',
  ].join('\n');
}

if (process.argv[1] === file('generate.ts').pathname) {
  for (const [path, text] of Object.entries(generated())) writeFileSync(file(path), text);
  writeFileSync(file('../src/client/api.ts'), await clientTypes());
}
