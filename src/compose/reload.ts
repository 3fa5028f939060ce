/**
 * Reloads the configuration: on request, and when its file changes.
 */
import type { Clock } from '../clock.ts';
import { changesBetween, teamChanges } from '../config/changes.ts';
import { ConfigError } from '../config/config-error.ts';
import type { ConfigSource } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';

interface Parts {
  readonly clock: Clock;
  readonly emit: Emit;
  readonly source: ConfigSource;
  /** Those of the configuration in use, which have been told. */
  readonly warnings: readonly string[];
  /** Applies a changed configuration, in all processes. */
  readonly apply: (config: Config) => void;
  /** Changes the lowest level that is logged. */
  readonly setLogLevel: (level: Config['log']['level']) => void;
}

const pollMs = 1_000;

/**
 * Polls the file: watchers miss mounted files, which are swapped by renaming a symlink above them. Compares its text, so that no
 * change is missed, however quick.
 */
export class Reload {
  readonly #parts: Parts;
  #present: Config;
  /** The file as it was loaded. */
  #loadedText: string;
  /** The file with mistakes that the last poll found. */
  #doubtful: string | undefined;
  #warnings: readonly string[];
  /** Whether the last load found mistakes. */
  #isInvalid = false;
  #cancelPoll = () => {};

  /** @param config the configuration in use, loaded from `source` */
  constructor(config: Config, parts: Parts) {
    this.#parts = parts;
    this.#present = config;
    this.#loadedText = parts.source.loadedText;
    this.#warnings = parts.warnings;
    if (parts.source.isFile) this.#pollLater();
  }

  /** Loads the configuration and applies what changed and is live. Mistakes change nothing. */
  reload(): void {
    const { emit, source } = this.#parts;
    this.#loadedText = source.text();
    this.#doubtful = undefined;
    try {
      this.#use(source.load());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      this.#isInvalid = true;
      emit('config.invalid', { mistakes: error.mistakes });
    }
  }

  close(): void {
    this.#cancelPoll();
  }

  #use({ config: loaded, warnings }: ReturnType<ConfigSource['load']>): void {
    const { emit, apply } = this.#parts;
    const former = this.#present;
    const { config, changed, needRestart } = changesBetween(former, loaded);
    if (this.#isInvalid) emit('config.mended', {});
    this.#isInvalid = false;
    if (changed.length > 0) {
      this.#present = config;
      apply(config);
      const teams = changed.includes('teams') ? teamChanges(former, config) : undefined;
      // No level hides the line that confirms its change.
      if (changed.includes('log.level')) this.#parts.setLogLevel('info');
      emit('config.reloaded', { changed, teams });
      this.#parts.setLogLevel(config.log.level);
    } else if (needRestart.length === 0) emit('config.unchanged', {});
    if (needRestart.length > 0) emit('config.needs_restart', { settings: needRestart });
    for (const warning of warnings) if (!this.#warnings.includes(warning)) emit('config.warning', { warning });
    this.#warnings = warnings;
  }

  #pollLater(): void {
    this.#cancelPoll = this.#parts.clock.after(pollMs, () => {
      this.#pollLater();
      this.#poll();
    });
  }

  /** A file with mistakes may be half-written: it gets until the next poll. */
  #poll(): void {
    const { source } = this.#parts;
    const text = source.text();
    if (text === this.#loadedText) return;
    if (this.#doubtful === text || isValid(source)) this.reload();
    else this.#doubtful = text;
  }
}

function isValid(source: ConfigSource): boolean {
  try {
    source.load();
    return true;
  } catch {
    return false;
  }
}
