/**
 * Builds the credentials and reports their changes.
 */
import type { Config } from '../config/schema.ts';
import type { SecretSources } from '../config/secret-sources.ts';
import { Secrets } from '../config/secrets.ts';
import type { Emit } from '../events.ts';

export function buildSecrets(sources: SecretSources, readFile: (path: string) => string, emit: Emit): Secrets {
  return new Secrets(sources, readFile, (secret, outcome, reason) => {
    if (outcome === 'unreadable') emit('secret.unreadable', { secret, reason });
    else if (secret === 'redisUrl') emit('secret.needs_restart', { secret });
    else emit('secret.replaced', { secret });
  });
}

export function warnOfMissingToken({ constantContact }: Config, secrets: Secrets, emit: Emit): void {
  if (constantContact.api === 'v2' && secrets.get('accessToken') === undefined) emit('secret.no_access_token', {});
}
