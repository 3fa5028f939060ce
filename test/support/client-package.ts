/**
 * The client's package, as `npm run build` leaves it for Sendgate to serve.
 */
import { execFileSync } from 'node:child_process';
import { mkdirSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const servedPackage = fileURLToPath(new URL('../../dist/client/sendgate-client.tgz', import.meta.url));

/** What `npm install` does with it, without npm's second. */
export function unpackClient(folder: string): void {
  const place = join(folder, 'node_modules/sendgate-client');
  mkdirSync(place, { recursive: true });
  execFileSync('tar', ['-xzf', servedPackage, '-C', place, '--strip-components=1']);
}
