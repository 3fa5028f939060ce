/**
 * All keys that match a glob, whichever server of a cluster they are on.
 */
import { type Redis as Client, Cluster } from 'ioredis';

/** Keys that are looked at in one step. */
const stepSize = 500;

/** Calls `visit` with some of the keys at a time. Rejects when Redis does, or `visit`. */
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
