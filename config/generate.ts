/**
 * `npm run settings`: writes what is made from the schema of the settings. A test sees to it that it was run.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { schema } from '../src/config/schema.ts';
import { jsonSchema, settings } from '../src/config/settings.ts';

const file = (path: string) => new URL(path, import.meta.url);

/** The files that are made, by path from here. */
export function generated(): Readonly<Record<string, string>> {
  const table = settings().map(({ path, variable, preset, doc }) => {
    const shown = Array.isArray(preset) ? preset.join(', ') : String(preset);
    return `| \`${path}\` | \`${variable}\` | ${shown === '' ? '(none)' : `\`${shown}\``} | ${doc} |`;
  });
  const readme = readFileSync(file('../README.md'), 'utf8');
  const marks = /(<!-- settings -->\n)[\s\S]*?(\n<!-- end of settings -->)/;
  return {
    'default.json': `${JSON.stringify({ $schema: './schema.json', ...schema.parse({}) }, null, 2)}\n`,
    'schema.json': `${JSON.stringify(withSchemaKey(jsonSchema()), null, 2)}\n`,
    '../README.md': readme.replace(
      marks,
      (_, open, close) =>
        `${open}${['| setting | variable | default | meaning |', '|---|---|---|---|', ...table].join('\n')}${close}`,
    ),
  };
}

/** Editors find the schema by the `$schema` key, so that key is allowed. */
function withSchemaKey(json: object): object {
  const { properties, ...rest } = json as { properties: object };
  return { ...rest, properties: { $schema: { type: 'string' }, ...properties } };
}

if (process.argv[1] === file('generate.ts').pathname) {
  for (const [path, text] of Object.entries(generated())) writeFileSync(file(path), text);
}
