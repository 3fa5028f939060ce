/**
 * Settings from environment variables.
 */
import { parseOrFault, repeatedNames } from './json.ts';
import type { Mistakes } from './mistakes.ts';
import { secretNames } from './secret-names.ts';
import { allowedAt, type Setting } from './settings.ts';
import { suggestVariables } from './suggestions.ts';
import { putAt, removeAt, type Tree } from './tree.ts';
import { didYouMean, isName, isQuoted, quoted } from './words.ts';

export type Environment = Readonly<Record<string, string | undefined>>;

/**
 * Variables that Kubernetes sets in every pod of a namespace with a service named `sendgate…`. They are not settings.
 */
const kubernetesVariable = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const kubernetesValue = /^(tcp|udp|sctp):\/\//;

/** Variables that are not settings of the schema. */
const otherVariables = new Set([
  'SENDGATE_CONFIG',
  ...Object.values(secretNames).flatMap((secret) => [secret, `${secret}_FILE`]),
]);

/** What the environment sets. Compose files and shells write "not set" as an empty variable. */
const isSet = (text: string | undefined): text is string =>
  text !== undefined && text !== '' && !kubernetesValue.test(text);

/** Whether a setting comes from its variable. */
export const isFromVariable = (env: Environment, { variable }: Setting) => isSet(env[variable]);

/**
 * Puts variables into the tree. Of unknown ones that look like a setting, those close to a known one are mistakes; the others get
 * a warning, since programs beside Sendgate may have them.
 */
export function applyEnvironment(
  tree: Tree,
  env: Environment,
  known: readonly Setting[],
  { mistakes, warnings }: { readonly mistakes: Mistakes; readonly warnings: string[] },
): void {
  const byVariable = new Map(known.map((setting) => [setting.variable, setting]));
  for (const [variable, text] of Object.entries(env)) {
    if (!isSet(text)) continue;
    const setting = byVariable.get(variable);
    if (setting) apply(tree, setting, text, mistakes);
    else if (isMeantAsSetting(variable)) {
      const meant = suggestVariables(variable, known);
      if (meant.length > 0) mistakes.add(variable, `${variable}: is not a setting; ${didYouMean(meant)}`);
      else warnings.push(`${variable}: is not a setting; ignored`);
    } else if (isMeantAsRedis(variable, env)) {
      warnings.push(`${variable}: is not a setting; ignored; ${didYouMean([secretNames.redisUrl])}`);
    }
  }
}

const isMeantAsSetting = (variable: string) =>
  /^(SENDGATE|CONSTANT_CONTACT)_/.test(variable) && !otherVariables.has(variable) && !kubernetesVariable.test(variable);

/** Other programs have the address of Redis in `REDIS_URI` or `REDIS_HOST`. Without its own, Sendgate shares nothing. */
const isMeantAsRedis = (variable: string, env: Environment) =>
  /^REDIS(_|$)/.test(variable) &&
  !kubernetesVariable.test(variable) &&
  !isSet(env[secretNames.redisUrl]) &&
  !isSet(env[`${secretNames.redisUrl}_FILE`]);

function apply(tree: Tree, setting: Setting, text: string, mistakes: Mistakes): void {
  const path = setting.path.split('.');
  const parsed = isQuoted(text) ? { fault: quoted } : fromText(text, setting.type);
  if ('value' in parsed) {
    putAt(tree, path, parsed.value);
    if (setting.type === 'json') addRepeatedNames(setting, text, mistakes);
    return;
  }
  // What the file has is not in force either.
  removeAt(tree, path);
  const where = `${setting.path} (${setting.variable})`;
  mistakes.add(setting.path, `${where}: ${parsed.fault}; allowed: ${allowedAt(path)}`);
}

function addRepeatedNames({ path, variable }: Setting, text: string, mistakes: Mistakes): void {
  for (const { path: repeated } of repeatedNames(text)) {
    const name = repeated.every(isName) ? [path, ...repeated].join('.') : 'a name';
    mistakes.add(path, `${name} (${variable}): is in it twice; allowed: each name once`);
  }
}

/** Converts a text to the setting's type. One that does not convert stays a text, which the schema then rejects. */
function fromText(text: string, type: Setting['type']): ReturnType<typeof parseOrFault> {
  switch (type) {
    case 'list':
      return { value: listOf(text) };
    case 'integer':
      return { value: /^-?\d+$/.test(text.trim()) ? Number(text) : text };
    case 'boolean':
      return { value: /^(true|false)$/.test(text) ? text === 'true' : text };
    case 'json':
      return parseOrFault(text);
    case 'string':
      return { value: text };
  }
}

const listOf = (text: string) =>
  text
    .split(',')
    .map((part) => part.trim())
    .filter((part) => part !== '');
