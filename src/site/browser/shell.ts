/** Quotes a text for a POSIX shell. */
export const shell = (text: string) => `'${text.replaceAll("'", `'\\''`)}'`;
