/**
 * Loads the configuration: defaults < file < environment.
 */
import { ConfigError } from './config-error.ts';
import { type ConfigFile, readConfigFile } from './config-file.ts';
import { encryptionKeysAllowed, faultOfKeys } from './encryption-keys.ts';
import { applyEnvironment, type Environment, isFromVariable } from './environment.ts';
import { describeFileFailure, fileName } from './file-failure.ts';
import { Mistakes } from './mistakes.ts';
import { type OutboundProxies, readOutboundProxies } from './outbound-proxy.ts';
import type { Config } from './schema.ts';
import { secretNames } from './secret-names.ts';
import { readableSecrets, redactedSecrets, type SecretSources, secretSources } from './secret-sources.ts';
import { type Setting, settings } from './settings.ts';
import { type Tree, valueAt } from './tree.ts';
import { unmatchedWarnings } from './unmatched.ts';
import { type Origins, validate } from './validation.ts';

export interface Loaded {
  readonly config: Config;
  readonly secrets: SecretSources;
  readonly proxies: OutboundProxies;
  /** What is odd but no mistake. */
  readonly warnings: readonly string[];
  /** Names a setting with the variable or the line of the file that it comes from: `server.port (PORT)`. */
  where(path: string): string;
  readonly source: ConfigSource;
}

/** Returns every secret value of a configuration, to redact: a password inside the URL of Redis or of a proxy, too. */
export const secretValuesOf = ({ secrets, proxies }: Pick<Loaded, 'secrets' | 'proxies'>): readonly string[] => [
  ...redactedSecrets(secrets),
  ...proxies.secrets,
];

/** Where the configuration comes from, to load it again. */
export interface ConfigSource {
  /** Whether there is a file that can change. */
  readonly isFile: boolean;
  /** The content of the file as it was loaded. */
  readonly loadedText: string;
  /** Returns the content of the file or, if it cannot be read, why. */
  text(): string;
  /**
   * Loads the configuration, without secrets.
   *
   * @throws ConfigError with every mistake
   */
  load(): Pick<Loaded, 'config' | 'warnings'>;
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
  const known = settings();
  const mistakes = new Mistakes(known);
  const warnings: string[] = [];
  const file = readConfigFile(env['SENDGATE_CONFIG'], readFile, mistakes);
  const { tree } = file;
  const origins = originsOf(known, env, file);
  applyEnvironment(tree, env, known, { mistakes, warnings });
  const config = validate(tree, origins, mistakes);
  const needsSecrets = purpose !== 'reload';
  const api = apiOf(tree, mistakes);
  const secrets = needsSecrets ? secretSources(api, env, readFile, mistakes) : readableSecrets(api, env, readFile);
  const where = (path: string) => origins.where(path.split('.'));
  const proxies = readOutboundProxies(env, { mistakes, warnings });
  if (config) warnings.push(...unmatchedWarnings(config, where));
  if (config && needsSecrets) checkEncryptionKeys(config.cache.encryptionKeyFile, readFile, where, mistakes);
  if (config && purpose === 'serve') checkTokens(config, secrets, readFile, where, mistakes);
  if (mistakes.all.length > 0 || !config) throw new ConfigError(mistakes.all, warnings, mistakes.more);
  return { config, secrets, proxies, warnings, where, source: sourceOf(env, readFile, file.content) };
}

function sourceOf(env: Environment, readFile: (path: string) => string, text: string): ConfigSource {
  const file = env['SENDGATE_CONFIG'];
  return {
    ...{ isFile: Boolean(file), loadedText: text },
    text: () => {
      try {
        return file ? readFile(file) : text;
      } catch (error) {
        return describeFileFailure(file ?? '', error);
      }
    },
    load: () => loadConfig(env, readFile, 'reload'),
  };
}

function originsOf(known: readonly Setting[], env: Environment, file: ConfigFile): Origins {
  const settingOf = (path: readonly string[]) =>
    known.find((setting) => setting.path.split('.').every((name, depth) => name === path[depth]));
  const isVariable = (setting: Setting | undefined) => setting !== undefined && isFromVariable(env, setting);
  const placed = (name: string, path: readonly string[]) => {
    const setting = settingOf(path);
    const origin = (isVariable(setting) ? undefined : file.placeOf(path)) ?? setting?.variable;
    return origin === undefined ? name : `${name} (${origin})`;
  };
  return {
    known,
    isText: (path) => {
      const setting = settingOf(path);
      return isVariable(setting) && setting?.type !== 'json';
    },
    where: (path) => placed(path.join('.'), path),
    whereIn: (path) => placed(path.slice(0, -1).join('.') || 'SENDGATE_CONFIG', path),
  };
}

/**
 * Reads the version even from an invalid configuration, so that mistakes in secrets are reported in the same run. Undefined if the
 * file, which may have it, cannot be read.
 */
function apiOf(tree: Tree, mistakes: Mistakes): 'v2' | 'v3' | undefined {
  const api = valueAt(tree, ['constantContact', 'api']);
  if (api === undefined && mistakes.has('SENDGATE_CONFIG')) return undefined;
  return api === 'v3' ? 'v3' : 'v2';
}

type Where = Loaded['where'];

function checkEncryptionKeys(path: string, readFile: (path: string) => string, where: Where, mistakes: Mistakes): void {
  if (path === '') return;
  const setting = 'cache.encryptionKeyFile';
  const add = (fault: string) =>
    mistakes.add(setting, `${where(setting)}: ${fault}; allowed: ${encryptionKeysAllowed}`);
  try {
    const fault = faultOfKeys(readFile(path));
    if (fault !== undefined) add(`${fileName(path)} ${fault}`);
  } catch (error) {
    add(describeFileFailure(path, error));
  }
}

function checkTokens(
  { constantContact }: Config,
  { refreshToken, redisUrl }: SecretSources,
  readFile: (path: string) => string,
  where: Where,
  mistakes: Mistakes,
): void {
  const { tokenFile } = constantContact.oauth;
  // With Redis, another instance may share its tokens.
  if (constantContact.api !== 'v3' || tokenFile === '' || refreshToken || redisUrl) return;
  const setting = 'constantContact.oauth.tokenFile';
  const allowed = `the file that \`npm run authorize\` writes, or a refresh token in ${secretNames.refreshToken}`;
  try {
    readFile(tokenFile);
  } catch (error) {
    mistakes.add(setting, `${where(setting)}: ${describeFileFailure(tokenFile, error)}; allowed: ${allowed}`);
  }
}
