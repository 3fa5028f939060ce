/**
 * Builds the credentials and reports their changes.
 */

import type { Loaded } from '../config/load.ts';
import type { Config } from '../config/schema.ts';
import type { SecretName } from '../config/secret-names.ts';
import { type SecretChange, Secrets } from '../config/secrets.ts';
import type { Emit } from '../events.ts';

export function buildSecrets(loaded: Loaded, readFile: (path: string) => string, emit: Emit): Secrets {
  const onChange = (secret: SecretName, change: SecretChange) => {
    if (change.now === 'unreadable') emit('secret.unreadable', { secret, reason: change.reason });
    else if (change.now === 'readable') emit('secret.readable', { secret });
    else if (secret === 'redisUrl') emit('secret.needs_restart', { secret });
    else emit('secret.replaced', { secret });
  };
  return new Secrets(loaded.secrets, readFile, onChange, loaded.proxies.secrets);
}

export function warnOfMissingToken({ constantContact }: Config, secrets: Secrets, emit: Emit): void {
  if (constantContact.api === 'v2' && secrets.get('accessToken') === undefined) emit('secret.no_access_token', {});
}
