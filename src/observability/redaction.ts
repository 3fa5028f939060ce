/**
 * Keeps credentials and email addresses out of logs, by path and by value.
 */
export const redacted = '[redacted]';

/** Paths that are never logged, whatever their value. `redact` finds values at any depth. */
export const redactPaths = [
  'apiKey',
  'accessToken',
  'refreshToken',
  'clientSecret',
  'authorization',
  'headers.authorization',
  'email_address',
  'email',
];

/** An email address anywhere in a text, but not a scoped package in a stack trace. */
const address = /[^\s"'<>:@\\/]+@[^\s"'<>:@\\/]+/g;

const formsOf = new WeakMap<readonly string[], readonly string[]>();

/** Secrets verbatim, and as encoded in a URL or in JSON. */
function forms(secrets: readonly string[]): readonly string[] {
  let known = formsOf.get(secrets);
  if (!known) {
    const all = secrets.flatMap((secret) => [
      secret,
      encodeURIComponent(secret),
      new URLSearchParams([['', secret]]).toString().slice(1),
      JSON.stringify(secret).slice(1, -1),
    ]);
    known = [...new Set(all)];
    formsOf.set(secrets, known);
  }
  return known;
}

/** Redacts secrets and email addresses in a text. */
export function redact(text: string, secrets: readonly string[]): string {
  let clean = text;
  for (const form of forms(secrets)) {
    if (form.length <= clean.length && clean.includes(form)) clean = clean.replaceAll(form, redacted);
  }
  return clean.includes('@') ? clean.replace(address, redacted) : clean;
}
