/**
 * Refreshes in a separate process that outlives this one: after a rotating refresh token is spent and before the next one is
 * on disk, a kill -9 of Sendgate must not lose the account.
 */
import { spawn } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import { z } from 'zod';
import type { RefreshOrder, RefreshOutcome } from './refresh.ts';

const outcome = z.object({ outcome: z.enum(['renewed', 'refused', 'failed']), reason: z.string().optional() });
const program = fileURLToPath(new URL('./refresh-main.js', import.meta.url));

/** Runs a refresh. The order goes through stdin, hidden from process lists; the tokens come back through the file. */
export function refreshInProcess(order: RefreshOrder): Promise<RefreshOutcome> {
  return new Promise((resolve) => {
    const child = spawn(process.execPath, [program], { detached: true, stdio: ['pipe', 'pipe', 'ignore'] });
    let text = '';
    child.stdout.on('data', (part) => {
      text += part;
    });
    child.stdin.on('error', () => {}); // It ended before it read the order; `close` follows.
    child.once('error', () => resolve({ outcome: 'failed', reason: 'no-process' }));
    child.once('close', () => resolve(read(text)));
    child.stdin.end(JSON.stringify(order));
  });
}

function read(text: string): RefreshOutcome {
  try {
    return outcome.parse(JSON.parse(text)) as RefreshOutcome;
  } catch {
    return { outcome: 'failed', reason: 'no-process' };
  }
}
