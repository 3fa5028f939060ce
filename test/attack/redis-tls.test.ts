/**
 * `rediss:` is TLS on every connection: to the server, its subscriptions, the nodes of a cluster, the sentinels.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync } from 'node:fs';
import { type AddressInfo, createServer, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, expect, test } from '@jest/globals';
import { parseRedisUrl } from '../../src/config/redis-url.ts';
import { connect } from '../../src/redis/connection.ts';
import { Redis } from '../../src/redis/redis.ts';
import { SharedRefresh } from '../../src/upstream/oauth/shared-tokens.ts';
import { ForwardClock } from '../support/clock.ts';
import { freePort } from '../support/free-port.ts';
import { startProcess, startSandbox, until, upstreamEnv } from '../support/harness.ts';
import { RedisServer } from '../support/redis.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-tls-'));
const ending: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ending.splice(0).reverse()) await end();
});

/** RFC 8446 §5.1: a record of a handshake. In plain text, a command begins with `*`. */
const handshake = 0x16;

/** What comes first on each connection. */
async function listen(): Promise<{ readonly port: number; readonly first: number[] }> {
  const first: number[] = [];
  const server: Server = createServer((socket) => {
    socket.on('error', () => {});
    socket.once('data', (data) => {
      first.push(data[0] ?? -1);
      socket.destroy();
    });
  }).listen(0, '127.0.0.1');
  await once(server, 'listening');
  ending.push(async () => server.close());
  return { port: (server.address() as AddressInfo).port, first };
}

const urls = {
  'a server': (port: number) => `rediss://:secret-password@127.0.0.1:${port}`,
  'a cluster': (port: number) => `rediss+cluster://:secret-password@127.0.0.1:${port}`,
  sentinels: (port: number) => `rediss+sentinel://:secret-password@127.0.0.1:${port}/mymaster`,
};

test.each(Object.entries(urls))('%s: nothing is sent in plain text', async (_, urlOf) => {
  const { port, first } = await listen();
  const url = urlOf(port);
  const address = parseRedisUrl(url);
  if (!address) throw new Error('no address');
  // The two connections of the service, and that of the process that refreshes tokens.
  const events = { changed: () => {}, asked: () => {} };
  const redis = new Redis(address, { timeoutMs: 100, keyPrefix: 't:' }, new ForwardClock(), events);
  ending.push(() => redis.close());
  await until(() => first.length >= 2, 'it connects');
  await SharedRefresh.begin({ redisUrl: url, key: 'tokens', channel: 'c', sealingKeys: [] }, 100);
  await until(() => first.length >= 3, 'the other process connects');
  const client = connect(address);
  client.on('error', () => {});
  client.disconnect();
  expect(new Set(first)).toEqual(new Set([handshake]));
});

test('Sentinels and a server that speak TLS are used', async () => {
  const [key, certificate] = [join(folder, 'key.pem'), join(folder, 'certificate.pem')];
  const subject = ['-subj', '/CN=127.0.0.1', '-addext', 'subjectAltName=IP:127.0.0.1'];
  const files = ['-keyout', key, '-out', certificate, '-days', '2', '-nodes'];
  execFileSync(
    'openssl',
    ['req', '-x509', '-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', ...files, ...subject],
    {
      stdio: 'ignore',
    },
  );
  const tls = (port: number) => [
    ...['--tls-port', String(port), '--tls-cert-file', certificate, '--tls-key-file', key],
    ...['--tls-ca-cert-file', certificate, '--tls-auth-clients', 'no', '--tls-replication', 'yes'],
  ];
  const [serverPort, sentinelPort] = [await freePort(), await freePort()];
  const server = await RedisServer.start(tls(serverPort));
  ending.push(() => server.stop());
  const sentinel = await RedisServer.start(['sentinel', ...tls(sentinelPort)]);
  ending.push(() => sentinel.stop());
  await sentinel.ask((client) => client.call('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', String(serverPort), '1'));
  const sandbox = await startSandbox();
  ending.push(() => sandbox.stop());
  const sendgate = await startProcess({
    ...upstreamEnv(sandbox),
    NODE_EXTRA_CA_CERTS: certificate,
    REDIS_URL: `rediss+sentinel://127.0.0.1:${sentinelPort}/mymaster`,
  });
  ending.push(() => sendgate.stop());
  await until(() => sendgate.output().includes('redis.available'), 'it is there');
});
