/**
 * Scans for keys that match a glob, on every server of a cluster.
 */
import { type Redis as Client, Cluster } from 'ioredis';

/** Keys scanned per step. */
const stepSize = 500;

/** Calls `visit` with batches of keys. Rejects if Redis or `visit` does. */
export async function scanKeys(
  client: Client | Cluster,
  glob: string,
  visit: (keys: readonly string[]) => Promise<unknown>,
): Promise<void> {
  for (const node of client instanceof Cluster ? client.nodes('master') : [client]) {
    let cursor = '0';
    do {
      const [next, keys] = await node.scan(cursor, 'MATCH', glob, 'COUNT', stepSize);
      if (keys.length > 0) await visit(keys);
      cursor = next;
    } while (cursor !== '0');
  }
}
