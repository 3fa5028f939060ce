/**
 * Loads the configuration: defaults < file < environment.
 */
import { ConfigError } from './config-error.ts';
import { readConfigFile } from './config-file.ts';
import { encryptionKeysAllowed, parseEncryptionKeys } from './encryption-keys.ts';
import { applyEnvironment, type Environment } from './environment.ts';
import type { Config } from './schema.ts';
import { type SecretSources, secretNames, secretSources } from './secret-sources.ts';
import { settings } from './settings.ts';
import { isTree, type Tree } from './tree.ts';
import { validate } from './validation.ts';

export interface Loaded {
  readonly config: Config;
  readonly secrets: SecretSources;
  readonly source: ConfigSource;
}

/** Where the configuration comes from, to load it again. */
export interface ConfigSource {
  /** Path of the configuration file, if there is one. */
  readonly file: string | undefined;
  /** The content of the file as it was loaded. */
  readonly loadedText: string | undefined;
  /** Returns the content of the file; undefined if it cannot be read. */
  text(): string | undefined;
  /**
   * Loads the configuration, without secrets.
   *
   * @throws ConfigError with every mistake
   */
  load(): Config;
}

/**
 * @param purpose `authorize` is what gets the tokens that `serve` needs; `reload` checks no secret, since those are
 *   reread separately
 * @throws ConfigError with every mistake
 */
export function loadConfig(
  env: Environment,
  readFile: (path: string) => string,
  purpose: 'serve' | 'authorize' | 'reload' = 'serve',
): Loaded {
  const mistakes: string[] = [];
  const known = settings();
  const source = sourceOf(env, readFile);
  const tree = readConfigFile(env['SENDGATE_CONFIG'], readFile, mistakes);
  applyEnvironment(tree, env, known, mistakes);
  const config = validate(tree, known, mistakes);
  const needsSecrets = purpose !== 'reload';
  const secrets = secretSources(apiOf(tree), env, readFile, needsSecrets ? mistakes : undefined);
  if (config && needsSecrets) checkEncryptionKeys(config.cache.encryptionKeyFile, readFile, mistakes);
  if (config && purpose === 'serve') checkTokens(config, secrets, readFile, mistakes);
  if (mistakes.length > 0 || !config) throw new ConfigError(mistakes);
  return { config, secrets, source };
}

function sourceOf(env: Environment, readFile: (path: string) => string): ConfigSource {
  const file = env['SENDGATE_CONFIG'] || undefined;
  const text = () => (file === undefined ? undefined : readIfReadable(file, readFile));
  return {
    ...{ file, text, loadedText: text() },
    load: () => loadConfig(env, readFile, 'reload').config,
  };
}

/** Reads the version even from an invalid configuration, so that mistakes in secrets are reported in the same run. */
function apiOf(tree: Tree): 'v2' | 'v3' {
  const section = tree['constantContact'];
  return isTree(section) && section['api'] === 'v3' ? 'v3' : 'v2';
}

function checkEncryptionKeys(file: string, readFile: (path: string) => string, mistakes: string[]): void {
  if (file === '') return;
  const text = readIfReadable(file, readFile);
  if (text !== undefined && parseEncryptionKeys(text)) return;
  const why = text === undefined ? 'the file cannot be read' : 'the file is not valid';
  mistakes.push(`cache.encryptionKeyFile: ${why}; allowed: ${encryptionKeysAllowed}`);
}

function checkTokens(
  { constantContact }: Config,
  { refreshToken, redisUrl }: SecretSources,
  readFile: (path: string) => string,
  mistakes: string[],
): void {
  const { tokenFile } = constantContact.oauth;
  if (constantContact.api !== 'v3' || tokenFile === '') return;
  // With Redis, another instance may share its tokens.
  if (refreshToken || redisUrl || readIfReadable(tokenFile, readFile) !== undefined) return;
  mistakes.push(
    `${secretNames.refreshToken}: is missing, and so is the token file; allowed: a refresh token, or the file that \`npm run authorize\` writes`,
  );
}

function readIfReadable(path: string, readFile: (path: string) => string): string | undefined {
  try {
    return readFile(path);
  } catch {
    return undefined;
  }
}
