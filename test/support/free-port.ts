import { once } from 'node:events';
import { createServer } from 'node:net';

/**
 * Ports below those that systems give to servers that ask for any (Linux: from 32,768), so that no other server or connection
 * gets one between the look and its use; a Redis cluster's bus, 10,000 above, is below them, too. Processes of tests begin at different ones.
 */
const [lowest, count] = [12_000, 10_000];
let next = (process.pid * 37) % count;

/** A port that is free, and stays so until it is listened on. */
export async function freePort(): Promise<number> {
  for (let tries = 0; tries < count; tries++) {
    const port = lowest + (next++ % count);
    const server = createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
  throw new Error('no port is free');
}
