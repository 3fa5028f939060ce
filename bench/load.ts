/**
 * One burst of load on one URL: by wrk where it is present, else by autocannon.
 */
import { execFile } from 'node:child_process';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { has, onCore } from './processes.ts';

const run = promisify(execFile);
const connections = 32;

export const generator = has('wrk') ? 'wrk' : 'autocannon';

/** Answers a second over `seconds`. Throws when any of them was an error. */
export async function rate(url: string, headers: Readonly<Record<string, string>>, seconds: number): Promise<number> {
  if (generator === 'wrk') {
    const flags = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const [file = '', ...args] = onCore(1, ['wrk', '-t1', `-c${connections}`, `-d${seconds}s`, ...flags, url]);
    const { stdout } = await run(file, args);
    // A server that is merely slow has timeouts, and a low rate to show for it.
    if (/Non-2xx|Socket errors: (?!connect 0, read 0, write 0)/.test(stdout)) throw new Error(`${url}: ${stdout}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  }
  const result = await autocannon({ url, connections, duration: seconds, headers });
  if (result.errors + result['4xx'] + result['5xx'] > 0) throw new Error(`${url}: ${result.errors} errors`);
  return result.requests.average;
}
