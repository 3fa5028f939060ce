/**
 * Servers as separate processes, each pinned to one core where taskset is available.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';

const started = new Set<ChildProcess>();
process.once('exit', () => {
  for (const child of started) child.kill('SIGKILL');
});

export function has(command: string): boolean {
  try {
    execFileSync('which', [command], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

const pinned = has('taskset');

/** The command line that runs `command` on one core. */
export function onCore(core: number, command: readonly string[]): string[] {
  return pinned ? ['taskset', '-c', String(core), ...command] : [...command];
}

/** Pins a running process to one core. */
export function pin(pid: number, core: number): void {
  if (pinned) execFileSync('taskset', ['-acp', String(core), String(pid)], { stdio: 'ignore' });
}

export interface Server {
  readonly name: string;
  readonly url: string;
  readonly pid: number;
  stop(): Promise<void>;
}

/** Starts a server and waits until its URL answers anything at all; a sandbox counts what is not its control path. */
export async function startServer(
  name: string,
  url: string,
  command: readonly string[],
  env: Record<string, string> = {},
): Promise<Server> {
  const [file = '', ...args] = command;
  const child = spawn(file, args, {
    env: { PATH: process.env['PATH'] ?? '', ...env },
    stdio: ['ignore', 'ignore', 'inherit'],
  });
  started.add(child);
  for (let tries = 0; ; tries++) {
    if (tries > 1_600 || child.exitCode !== null) throw new Error(`${name} did not start`);
    const up = await fetch(url).then(
      (answer) => answer.arrayBuffer(),
      () => undefined,
    );
    if (up) break;
    await new Promise((resolve) => setTimeout(resolve, 25));
  }
  return {
    name,
    url,
    pid: child.pid ?? 0,
    stop: () =>
      new Promise((resolve) => {
        started.delete(child);
        child.once('exit', () => resolve());
        child.kill('SIGTERM');
      }),
  };
}

/** The sandbox on the other core. `env` has its credentials. */
export function startSandbox(port: number, env: Record<string, string>): Promise<Server> {
  const command = onCore(1, [process.execPath, 'dist/sandbox/main.js']);
  return startServer('sandbox', `http://127.0.0.1:${port}/_sandbox`, command, { ...env, PORT: String(port) });
}

/** Microseconds of processor time that the threads of a process have had, to the nanosecond: the tick of `stat` is 10 ms. */
export function processorUs({ pid }: Server): number {
  const threads = readdirSync(`/proc/${pid}/task`);
  const times = threads.map((id) => Number(readFileSync(`/proc/${pid}/task/${id}/schedstat`, 'utf8').split(' ')[0]));
  return times.reduce((sum, time) => sum + time, 0) / 1_000;
}

/** Seconds that a hypervisor has given to others, of one core's time and the other's. */
export function stolenSeconds(): number {
  const [all = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const ticksPerSecond = 100;
  return Number(all.split(/\s+/)[8] ?? 0) / ticksPerSecond;
}

export const median = (values: readonly number[]) => quantile(values, 1 / 2);

export const lowerQuartile = (values: readonly number[]) => quantile(values, 1 / 4);

function quantile(values: readonly number[], part: number): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[Math.floor(sorted.length * part)] ?? Number.NaN;
}
