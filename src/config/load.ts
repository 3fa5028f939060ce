/**
 * Loading: defaults < file < environment. Every mistake is reported at once.
 */
import { encryptionKeysAllowed, parseEncryptionKeys } from './encryption-keys.ts';
import type { Config } from './schema.ts';
import { contradictions, schema } from './schema.ts';
import { type SecretSources, secretNames, secretSources } from './secrets.ts';
import { type Setting, settings } from './settings.ts';

/** All that is wrong with a configuration, a line each; no line repeats a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[]) {
    super(
      `The configuration has ${mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`}:\n${mistakes.map((mistake) => `  - ${mistake}`).join('\n')}`,
    );
    this.mistakes = mistakes;
  }
}

export interface Loaded {
  readonly config: Config;
  readonly secrets: SecretSources;
}

type Environment = Readonly<Record<string, string | undefined>>;
type Tree = Record<string, unknown>;

/**
 * Kubernetes describes a service named `sendgate…` to every pod beside it in variables of these forms: they are not
 * meant for us.
 */
const kubernetesVariable = /_SERVICE_HOST$|_SERVICE_PORT(_\w+)?$|_PORT_\d+_(TCP|UDP|SCTP)(_(PROTO|PORT|ADDR))?$/;
const kubernetesValue = /^(tcp|udp|sctp):\/\//;

/**
 * @param purpose to authorize is to go and get what serving has to have already
 * @throws ConfigError with every mistake
 */
export function loadConfig(
  env: Environment,
  readFile: (path: string) => string,
  purpose: 'serve' | 'authorize' = 'serve',
): Loaded {
  const mistakes: string[] = [];
  const known = settings();
  const tree = readConfigFile(env['SENDGATE_CONFIG'], readFile, mistakes);
  applyEnvironment(tree, env, known, mistakes);
  const config = validate(tree, known, mistakes);
  const secrets = secretSources(apiOf(tree), env, readFile, mistakes);
  if (config) checkEncryptionKeys(config.cache.encryptionKeyFile, readFile, mistakes);
  // Where instances share, the tokens may come from another one.
  const bringsTokens = secrets.refreshToken ?? secrets.redisUrl;
  if (config?.constantContact.api === 'v3' && purpose === 'serve' && !bringsTokens) {
    const { tokenFile } = config.constantContact.oauth;
    if (tokenFile !== '' && !isReadable(tokenFile, readFile)) {
      mistakes.push(
        `${secretNames.refreshToken}: is missing, and so is the token file; allowed: a refresh token, or the file that \`npm run authorize\` writes`,
      );
    }
  }
  if (mistakes.length > 0 || !config) throw new ConfigError(mistakes);
  return { config, secrets };
}

/** Also in a configuration that has mistakes, so that those of the secrets are told with them. */
function apiOf(tree: Tree): 'v2' | 'v3' {
  const section = tree['constantContact'];
  return isTree(section) && section['api'] === 'v3' ? 'v3' : 'v2';
}

function checkEncryptionKeys(file: string, readFile: (path: string) => string, mistakes: string[]): void {
  if (file === '') return;
  const isBad = isReadable(file, readFile) ? !parseEncryptionKeys(readFile(file)) : undefined;
  if (isBad === false) return;
  const why = isBad ? 'the file is not valid' : 'the file cannot be read';
  mistakes.push(`cache.encryptionKeyFile: ${why}; allowed: ${encryptionKeysAllowed}`);
}

function isReadable(path: string, readFile: (path: string) => string): boolean {
  try {
    readFile(path);
    return true;
  } catch {
    return false;
  }
}

function readConfigFile(path: string | undefined, readFile: (path: string) => string, mistakes: string[]): Tree {
  if (!path) return {};
  let tree: unknown;
  try {
    tree = JSON.parse(readFile(path));
  } catch (error) {
    const why = error instanceof SyntaxError ? 'is not JSON' : 'cannot be read';
    mistakes.push(`SENDGATE_CONFIG: the file ${why}; allowed: the path of a JSON file`);
    return {};
  }
  if (!isTree(tree)) {
    mistakes.push('SENDGATE_CONFIG: the file holds no object; allowed: { "server": { … }, … }');
    return {};
  }
  const { $schema: _, ...rest } = tree;
  refuseSecrets(rest, mistakes);
  return rest;
}

/** A configuration file is copied, mailed and committed: no place for a key. */
function refuseSecrets(tree: Tree, mistakes: string[]): void {
  const section = tree['constantContact'];
  if (!isTree(section)) return;
  for (const [key, variable] of Object.entries(secretNames)) {
    if (!(key in section)) continue;
    mistakes.push(
      `constantContact.${key}: a secret does not belong in the configuration file; allowed: ${variable} or ${variable}_FILE`,
    );
    delete section[key];
  }
}

function applyEnvironment(tree: Tree, env: Environment, known: readonly Setting[], mistakes: string[]): void {
  const byVariable = new Map(known.map((setting) => [setting.variable, setting]));
  for (const [variable, text] of Object.entries(env)) {
    // An empty variable is how compose files and shells say "not set".
    if (text === undefined || text === '' || kubernetesValue.test(text)) continue;
    const setting = byVariable.get(variable);
    if (setting) {
      put(tree, setting.path.split('.'), fromText(text, setting.type));
    } else if (
      variable.startsWith('SENDGATE_') &&
      variable !== 'SENDGATE_CONFIG' &&
      !kubernetesVariable.test(variable)
    ) {
      mistakes.push(`${variable}: is no setting; allowed: the variables in README's table`);
    }
  }
}

function fromText(text: string, type: Setting['type']): unknown {
  if (type === 'list')
    return text
      .split(',')
      .map((part) => part.trim())
      .filter((part) => part !== '');
  if (type === 'integer' && /^-?\d+$/.test(text.trim())) return Number(text);
  if (type === 'boolean' && /^(true|false)$/.test(text)) return text === 'true';
  return type === 'json' ? parseJson(text) : text;
}

/** What is not JSON stays a text, which the schema then refuses. */
function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}

function put(tree: Tree, path: readonly string[], value: unknown): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  if (rest.length === 0) {
    tree[name] = value;
    return;
  }
  const child = isTree(tree[name]) ? tree[name] : {};
  tree[name] = child;
  put(child, rest, value);
}

function validate(tree: Tree, known: readonly Setting[], mistakes: string[]): Config | undefined {
  const first = schema.safeParse(tree);
  if (first.success) {
    mistakes.push(...contradictions(first.data));
    return first.data;
  }
  const byPath = new Map(known.map((setting) => [setting.path, setting]));
  for (const issue of first.error.issues) {
    for (const path of issue.code === 'unrecognized_keys'
      ? issue.keys.map((key) => [...issue.path, key])
      : [issue.path]) {
      mistakes.push(describe(path.map(String), issue.code, issue.message, byPath));
      remove(tree, path.map(String));
    }
  }
  // What is left is checked for contradictions, so that those too are told at once.
  const second = schema.safeParse(tree);
  if (second.success) mistakes.push(...contradictions(second.data));
  return undefined;
}

function describe(
  path: readonly string[],
  code: string,
  message: string,
  byPath: ReadonlyMap<string, Setting>,
): string {
  const dotted = path.join('.');
  if (code === 'unrecognized_keys') return `${dotted}: is no setting; allowed: the settings in README's table`;
  const setting = path.map((_, depth) => byPath.get(path.slice(0, path.length - depth).join('.'))).find(Boolean);
  if (!setting) return `${dotted}: is not valid; allowed: an object of settings`;
  const own = code === 'custom' || code === 'invalid_format' || setting.path !== dotted;
  const allowed = own ? message : setting.allowed;
  return `${dotted} (${setting.variable}): is not valid; allowed: ${allowed}`;
}

function remove(tree: Tree, path: readonly string[]): void {
  const [name, ...rest] = path;
  if (name === undefined) return;
  const child = tree[name];
  if (rest.length > 0 && isTree(child)) remove(child, rest);
  else delete tree[name];
}

function isTree(value: unknown): value is Tree {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
