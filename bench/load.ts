/**
 * One burst of load on one URL: by wrk where it is present, else by autocannon.
 */
import { execFile } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { promisify } from 'node:util';
import autocannon from 'autocannon';
import { has, onCore } from './processes.ts';

const run = promisify(execFile);
const connections = 32;

export const generator = has('wrk') ? 'wrk' : 'autocannon';

/**
 * Measures responses a second over `seconds`. Throws if any is an error. @param targets requested in turn; default the URL's
 * own
 */
export async function rate(
  url: string,
  headers: Readonly<Record<string, string>>,
  seconds: number,
  targets: readonly string[] = [],
): Promise<number> {
  if (generator === 'wrk') {
    const flags = Object.entries(headers).flatMap(([name, value]) => ['-H', `${name}: ${value}`]);
    const [file = '', ...args] = onCore(1, [
      'wrk',
      '-t1',
      `-c${connections}`,
      `-d${seconds}s`,
      ...flags,
      ...script(targets),
      url,
    ]);
    const { stdout } = await run(file, args);
    // A server that is merely slow has timeouts, and a low rate to show for it.
    if (/Non-2xx|Socket errors: (?!connect 0, read 0, write 0)/.test(stdout)) throw new Error(`${url}: ${stdout}`);
    return Number(/Requests\/sec:\s+([\d.]+)/.exec(stdout)?.[1]);
  }
  const requests = targets.length > 0 ? targets.map((path) => ({ path })) : [{}];
  const result = await autocannon({ url, connections, duration: seconds, headers, requests });
  if (result.errors + result['4xx'] + result['5xx'] > 0) throw new Error(`${url}: ${result.errors} errors`);
  return result.requests.average;
}

function script(targets: readonly string[]): string[] {
  if (targets.length === 0) return [];
  const file = join(mkdtempSync(join(tmpdir(), 'sendgate-load-')), 'targets.lua');
  const list = targets.map((target) => JSON.stringify(target)).join(',\n');
  writeFileSync(
    file,
    `local targets = {${list}}
local n = 0
request = function()
  n = n % #targets + 1
  return wrk.format("GET", targets[n])
end
`,
  );
  return ['-s', file];
}
