/**
 * Tries whether Redis permits what Sendgate needs, without joining the instances that share it.
 */
import { randomBytes } from 'node:crypto';
import { type Redis as Client, Cluster } from 'ioredis';
import type { Clock } from '../clock.ts';
import type { RedisAddress } from '../config/redis-url.ts';
import { connect } from './connection.ts';
import { type Failure, failureOf, isForPerson } from './failures.ts';
import { deniedIn, permitted, scriptCommands } from './permissions.ts';
import { nameInRedis } from './redis.ts';
import { runScript } from './scripts.ts';
import { within } from './time-limit.ts';

/** Time limit of the connection, and of each reply. */
const patienceMs = 2_000;

/** What is wrong, or how long a script took. */
export type Trial = { readonly failure: Failure } | { readonly scriptMs: number };

/** Of the key, where the connection ends before it is removed. */
const keyLifeMs = 5_000;

/** Runs every command once, on an unused key. Never rejects. */
export async function tryRedis(address: RedisAddress, keyPrefix: string, clock: Clock): Promise<Trial> {
  const client = connect(address);
  try {
    await within(clock, patienceMs, connected(client, address));
    return await tryCommands(client, keyPrefix, clock);
  } catch (error) {
    return { failure: failureOf(error) };
  } finally {
    client.disconnect();
  }
}

/** Rejects with the first error, or, where another server may answer, with the first that a person has to act on. */
function connected(client: Client | Cluster, { kind }: RedisAddress): Promise<void> {
  return new Promise((resolve, reject) => {
    client.on('ready', resolve);
    client.on('error', (error: Error) => {
      if (kind === 'server' || isForPerson(failureOf(error).reason)) reject(error);
    });
  });
}

async function tryCommands(client: Client | Cluster, keyPrefix: string, clock: Clock): Promise<Trial> {
  const channel = nameInRedis(keyPrefix, 'events');
  const unusedKey = nameInRedis(keyPrefix, `permitted:${randomBytes(6).toString('hex')}`);
  const ask = <T>(reply: Promise<T>) => within(clock, patienceMs, reply);
  const runAll = () => ask(runScript(client, permitted, [unusedKey, channel, JSON.stringify(scriptCommands)]));
  // The first one is sent as a text, the second one by its digest.
  const denied = await runAll();
  const failure = Array.isArray(denied) ? deniedIn(denied) : undefined;
  if (failure) return { failure };
  // A replica or a full Redis permits everything.
  await ask(client.set(unusedKey, '1', 'PX', keyLifeMs));
  await ask(client.del(unusedKey));
  const startedAt = clock.monotonic();
  await runAll();
  const scriptMs = clock.monotonic() - startedAt;
  const [node = client] = client instanceof Cluster ? client.nodes('master') : [client];
  await ask(node.scan('0', 'COUNT', 1));
  await ask(client.publish(channel, '["permitted"]'));
  await ask(client.subscribe(channel));
  return { scriptMs };
}
