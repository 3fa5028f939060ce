/** Every mistake in a configuration, one per line, and its warnings; no line repeats a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  constructor(mistakes: readonly string[], warnings: readonly string[] = []) {
    const count = mistakes.length === 1 ? 'a mistake' : `${mistakes.length} mistakes`;
    const lines = [...mistakes, ...warnings.map((warning) => `warning: ${warning}`)];
    super(`The configuration has ${count}:\n${lines.map((line) => `  - ${line}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}
