/**
 * A network whose way out is a proxy: tinyproxy, which asks for credentials, and behind it the sandbox under names of Constant
 * Contact, with TLS.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { createServer as createHttpServer } from 'node:http';
import { type AddressInfo, connect, createServer as createNetServer, type Server, type Socket } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Duplex } from 'node:stream';
import { createServer as createTlsServer } from 'node:tls';
import type { Sandbox } from '../../src/sandbox/sandbox.ts';
import { freePort } from './free-port.ts';
import { type Environment, until } from './harness.ts';

/** Names that resolve nowhere (RFC 6761 §6.4): who reaches them went through the proxy. */
export const api = 'https://api.constantcontact.test';
export const authz = 'https://authz.constantcontact.test';

export interface Network {
  /** What calls the sandbox by its names, if a proxy is set. */
  readonly env: Environment;
  /** The targets of CONNECT in the proxy's log, in order. */
  connects(): readonly string[];
  readonly proxyHost: string;
  /** The same proxy, with TLS. */
  readonly tlsProxyHost: string;
  stop(): Promise<void>;
}

/** A private authority: a certificate that signs itself. */
export function makeCertificate(folder: string, name: string) {
  const [key, cert] = [join(folder, 'key.pem'), join(folder, 'cert.pem')];
  const subject = ['-subj', '/CN=a private authority', '-addext', `subjectAltName=${name}`];
  const how = ['-newkey', 'ec', '-pkeyopt', 'ec_paramgen_curve:prime256v1', '-nodes', '-days', '2'];
  execFileSync('openssl', ['req', '-x509', ...how, ...subject, '-keyout', key, '-out', cert], { stdio: 'ignore' });
  return { file: cert, key: readFileSync(key), cert: readFileSync(cert) };
}

export async function startNetwork(sandbox: Sandbox, user: string, password: string): Promise<Network> {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-proxy-'));
  const { file, key, cert } = makeCertificate(folder, 'DNS:*.constantcontact.test,IP:127.0.0.1');
  const sandboxPort = Number(new URL(sandbox.url).port);
  const tls = createTlsServer({ key, cert }, (socket) => pipeBoth(socket, connect(sandboxPort, '127.0.0.1')));
  const tlsPort = await listening(tls);
  // Tinyproxy resolves names itself, unless another proxy is behind it.
  const resolver = createHttpServer().on('connect', (_, socket) => {
    socket.write('HTTP/1.1 200 OK\r\n\r\n');
    pipeBoth(socket, connect(tlsPort, '127.0.0.1'));
  });
  const resolverPort = await listening(resolver);
  const proxy = await startTinyproxy(folder, [
    `BasicAuth ${user} ${password}`,
    `Upstream http 127.0.0.1:${resolverPort}`,
  ]);
  const tlsProxy = createTlsServer({ key, cert }, (socket) => pipeBoth(socket, connect(proxy.port, '127.0.0.1')));
  const tlsProxyPort = await listening(tlsProxy);
  return {
    env: {
      CONSTANT_CONTACT_BASE_URL: api,
      CONSTANT_CONTACT_TOKEN_URL: `${authz}/oauth2/default/v1/token`,
      NODE_EXTRA_CA_CERTS: file,
    },
    connects: () => [...proxy.log().matchAll(/Request .*: CONNECT (\S+) /g)].map(([, target = '']) => target),
    proxyHost: `127.0.0.1:${proxy.port}`,
    tlsProxyHost: `127.0.0.1:${tlsProxyPort}`,
    stop: async () => {
      await proxy.stop();
      for (const server of [tls, tlsProxy, resolver]) server.close();
    },
  };
}

async function startTinyproxy(folder: string, settings: readonly string[]) {
  const [config, logFile] = [join(folder, 'tinyproxy.conf'), join(folder, 'tinyproxy.log')];
  writeFileSync(logFile, '', { mode: 0o666 });
  const log = () => readFileSync(logFile, 'utf8');
  for (let tries = 0; tries < 5; tries++) {
    const port = await freePort();
    const lines = [`Port ${port}`, 'Listen 127.0.0.1', `LogFile "${logFile}"`, 'LogLevel Connect', ...settings];
    writeFileSync(config, `${lines.join('\n')}\n`);
    const child = spawn('tinyproxy', ['-d', '-c', config], { stdio: 'ignore' });
    const closed = once(child, 'close');
    // Another program may have got the port: then it answers, and the proxy ends.
    const isListening = async () => (await isOpen(port)) && log().includes('Connect (file descriptor');
    await until(async () => child.exitCode !== null || (await isListening()), 'the proxy listens, or ends');
    if (child.exitCode !== null) continue;
    return {
      port,
      log,
      stop: async () => {
        child.kill('SIGKILL');
        await closed;
      },
    };
  }
  throw new Error('tinyproxy does not start');
}

async function isOpen(port: number): Promise<boolean> {
  const socket = connect(port, '127.0.0.1');
  const isThere = await once(socket, 'connect').then(
    () => true,
    () => false,
  );
  socket.destroy();
  return isThere;
}

/** A proxy that answers every connection as it is told. */
export async function startStub(answer: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  let accepted = 0;
  const server = createNetServer((socket) => {
    accepted++;
    sockets.add(socket);
    socket.on('error', () => {}).once('close', () => sockets.delete(socket));
    answer(socket);
  });
  const port = await listening(server);
  return {
    port,
    /** Connections so far. */
    get accepted() {
      return accepted;
    },
    /** Those that are open. */
    get open() {
      return sockets.size;
    },
    stop: () => {
      server.close();
      for (const socket of sockets) socket.destroy();
    },
  };
}

async function listening(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  return (server.address() as AddressInfo).port;
}

function pipeBoth(one: Duplex, other: Duplex): void {
  one.pipe(other).pipe(one);
  one.on('error', () => other.destroy());
  other.on('error', () => one.destroy());
}
