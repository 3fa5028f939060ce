/**
 * Reloads the configuration: on request, and when its file changes.
 */
import { unwatchFile, watchFile } from 'node:fs';
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
  /** Applies a changed configuration, in all processes. */
  readonly apply: (config: Config) => void;
}

const pollMs = 1_000;

function isValid(source: ConfigSource): boolean {
  try {
    source.load();
    return true;
  } catch {
    return false;
  }
}

export class Reload {
  readonly #parts: Parts;
  #present: Config;
  #loadedText: string | undefined;
  #cancelRetry = () => {};

  constructor(config: Config, parts: Parts) {
    this.#parts = parts;
    this.#present = config;
    const { file, text } = parts.source;
    this.#loadedText = text();
    // Polls, as for secrets: watchers miss mounted files, which are swapped by renaming a symlink above them.
    if (file !== undefined) watchFile(file, { interval: pollMs, persistent: false }, this.#fileChanged);
  }

  /** Loads the configuration and applies what changed and can. Mistakes change nothing. */
  reload(): void {
    this.#cancelRetry();
    const { emit, source } = this.#parts;
    this.#loadedText = source.text();
    try {
      this.#use(source.load());
    } catch (error) {
      if (!(error instanceof ConfigError)) throw error;
      emit('config.invalid', { mistakes: error.mistakes });
    }
  }

  close(): void {
    this.#cancelRetry();
    const { file } = this.#parts.source;
    if (file !== undefined) unwatchFile(file, this.#fileChanged);
  }

  #use(loaded: Config): void {
    const { emit, apply } = this.#parts;
    const former = this.#present;
    const { config, changed, needRestart, mistakes } = changesBetween(former, loaded);
    if (mistakes.length > 0) throw new ConfigError(mistakes);
    if (changed.length > 0) {
      this.#present = config;
      apply(config);
      const teams = changed.includes('teams') ? teamChanges(former, config) : undefined;
      emit('config.reloaded', { changed, teams });
    } else if (needRestart.length === 0) emit('config.unchanged', {});
    if (needRestart.length > 0) emit('config.needs_restart', { settings: needRestart });
  }

  /** A file with mistakes may be half-written: it gets until the next poll. */
  readonly #fileChanged = (): void => {
    const { clock, source } = this.#parts;
    if (source.text() === this.#loadedText) return;
    this.#cancelRetry();
    if (isValid(source)) this.reload();
    else this.#cancelRetry = clock.after(pollMs, () => this.reload());
  };
}
