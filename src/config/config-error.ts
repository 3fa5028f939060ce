/** Every mistake in a configuration, one per line, and its warnings; no line repeats a value. */
export class ConfigError extends Error {
  override readonly name = 'ConfigError';
  readonly mistakes: readonly string[];

  /** @param more how many there are beside `mistakes` */
  constructor(mistakes: readonly string[], warnings: readonly string[] = [], more = 0) {
    const count = mistakes.length + more === 1 ? 'a mistake' : `${mistakes.length + more} mistakes`;
    const others = more > 0 ? [`and ${more} more`] : [];
    const lines = [...mistakes, ...others, ...warnings.map((warning) => `warning: ${warning}`)];
    super(`The configuration has ${count}:\n${lines.map((line) => `  - ${line}`).join('\n')}`);
    this.mistakes = mistakes;
  }
}
