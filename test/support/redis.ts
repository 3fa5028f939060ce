/**
 * A real Redis under the test's control.
 */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis as Client } from 'ioredis';
import { freePort } from './free-port.ts';

export class RedisServer {
  readonly port: number;
  readonly url: string;
  readonly #folder = mkdtempSync(join(tmpdir(), 'sendgate-redis-'));
  readonly #args: readonly string[];
  #child: ChildProcess | undefined;

  private constructor(port: number, args: readonly string[]) {
    this.port = port;
    this.url = `redis://127.0.0.1:${port}`;
    this.#args = args;
  }

  /** @param args further ones, as on the command line; `sentinel` as the first makes it one */
  static async start(args: readonly string[] = []): Promise<RedisServer> {
    const server = new RedisServer(await freePort(), args);
    await server.restart();
    return server;
  }

  /** Starts it again, empty unless its arguments say otherwise. Resolves when it answers. */
  async restart(): Promise<void> {
    const config = join(this.#folder, 'redis.conf');
    writeFileSync(config, '');
    const where = ['--port', String(this.port), '--bind', '127.0.0.1', '--dir', this.#folder];
    const [first, ...rest] = this.#args;
    const kind = first === 'sentinel' ? ['--sentinel', ...rest] : ['--save', '', ...this.#args];
    this.#child = spawn('redis-server', [config, ...where, ...kind], { stdio: 'ignore' });
    running.add(this.#child);
    for (let tries = 0; ; tries++) {
      try {
        await this.ask((client) => client.ping());
        return;
      } catch (error) {
        if (tries > 800) throw error;
        await new Promise((resolve) => setTimeout(resolve, 25));
      }
    }
  }

  signal(name: 'SIGKILL' | 'SIGSTOP' | 'SIGCONT' | 'SIGTERM'): void {
    this.#child?.kill(name);
  }

  /** `kill -9` */
  async kill(): Promise<void> {
    const child = this.#child;
    if (!child || child.exitCode !== null || child.signalCode !== null) return;
    const ended = once(child, 'exit');
    child.kill('SIGKILL');
    await ended;
    running.delete(child);
  }

  /** Runs a command over a new connection. */
  async ask<T>(question: (client: Client) => Promise<T>): Promise<T> {
    const client = new Client({
      port: this.port,
      lazyConnect: true,
      retryStrategy: null,
      maxRetriesPerRequest: 0,
      disconnectTimeout: 100,
    });
    client.on('error', () => {});
    try {
      await client.connect();
      return await question(client);
    } finally {
      client.disconnect();
    }
  }

  /** All keys and values, as in a dump. */
  dump(): Promise<Buffer> {
    return this.ask(async (client) => {
      const parts: Buffer[] = [];
      for (const key of await client.keys('*')) {
        parts.push(Buffer.from(key), (await client.dumpBuffer(key)) ?? Buffer.alloc(0));
        if ((await client.type(key)) === 'hash') {
          for (const value of Object.values(await client.hgetallBuffer(key))) parts.push(value as Buffer);
        }
      }
      return Buffer.concat(parts);
    });
  }

  async stop(): Promise<void> {
    await this.kill();
    rmSync(this.#folder, { recursive: true, force: true });
  }
}

const running = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of running) child.kill('SIGKILL');
});
