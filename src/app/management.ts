/**
 * The management listener: probes, status, metrics, usage and purge, on a separate address from the callers' listener.
 */
import type { IncomingMessage, ServerResponse } from 'node:http';
import { BrowserGuard } from '../callers/browser-guard.ts';
import type { HostRule } from '../callers/host-guard.ts';
import { closeAfterNewest, keepUntilOver } from '../http/connection.ts';
import type { Listener, Received } from '../http/server.ts';
import { searchOf } from '../http/target.ts';
import type { Health } from '../observability/health.ts';
import type { Metrics } from '../observability/metrics.ts';
import type { Status } from '../observability/status.ts';
import type { DayUsage } from '../observability/stored-usage.ts';
import { Problem } from '../problems.ts';
import { usageCsv } from './usage.ts';

interface Parts {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly readStatus: () => Status;
  readonly readUsage: () => readonly DayUsage[];
  readonly isAllowedHost: HostRule;
  /**
   * Purges a campaign, or everything.
   *
   * @throws Problem `invalid-request` for an invalid campaign id
   */
  readonly purge: (campaign: string | undefined) => Promise<Purged>;
}

export interface Purged {
  /** Pages that this instance dropped. */
  readonly pages: number;
  /** Whether the purge reached all instances, and the disk. */
  readonly everywhere: boolean;
}

const hostNotAllowed = 'host not allowed: use the address of this listener, or add the name to server.allowedHosts';

/** Keeps every web page from purging: no origin is allowed. */
const guard = new BrowserGuard([]);

/**
 * `GET /livez`, `GET /readyz` (503 while starting or draining), `GET /status`, `GET /metrics`, `GET /usage` and `GET /usage.csv`;
 * `POST /purge?campaign=…` or `POST /purge?everything`.
 */
export function managementListener(parts: Parts): Listener<Received> {
  const { health, metrics, readStatus, readUsage, isAllowedHost, purge } = parts;
  const routes: Record<string, (res: ServerResponse) => void | Promise<void>> = {
    '/livez': (res) => json(res, 200, { status: 'ok' }),
    '/readyz': (res) => {
      const readiness = health.readiness();
      json(res, health.phase === 'ready' ? 200 : 503, readiness);
    },
    '/status': (res) => json(res, 200, readStatus()),
    '/metrics': async (res) => {
      const text = await metrics.registry.metrics();
      closeAfterNewest(res);
      res.writeHead(200, { 'Content-Type': metrics.registry.contentType, 'Cache-Control': 'no-store' }).end(text);
    },
    '/usage': (res) => {
      const { instances } = readStatus().sharing;
      json(res, 200, { instances, days: readUsage() });
    },
    '/usage.csv': (res) => answer(res, 200, 'text/csv; charset=utf-8; header=present', usageCsv(readUsage())),
  };
  const route = (req: IncomingMessage, res: ServerResponse) => {
    if (!isAllowedHost(req)) return json(res, 421, { error: hostNotAllowed });
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    if (path === '/purge') return void answerPurge(req, res, purge);
    const handle = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!handle) {
      const error = "not found: campaigns are on the callers' listener (server.port)";
      return json(res, 404, { error, paths: [...Object.keys(routes), '/purge'] });
    }
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      return json(res, 405, { error: 'method not allowed' });
    }
    Promise.resolve(handle(res)).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
  };
  return {
    receive: (_req, res) => ({ watch: () => keepUntilOver(res) }),
    answer: (req, res, received) => {
      received.watch();
      route(req, res);
    },
    refuse: (res, _received, problem) => answerProblem(res, problem),
  };
}

async function answerPurge(req: IncomingMessage, res: ServerResponse, purge: Parts['purge']): Promise<void> {
  try {
    guard.check(req);
    if (req.method !== 'POST') throw new Problem('method-not-allowed', { allow: 'POST', detail: 'Use POST.' });
    const query = new URLSearchParams(searchOf(req.url ?? ''));
    const campaign = query.get('campaign') ?? undefined;
    const isEverything = ['', 'true'].includes(query.get('everything') ?? 'no');
    if (query.size !== 1 || (campaign === undefined && !isEverything)) {
      throw new Problem('invalid-request', { detail: 'Add what to purge: ?campaign=<id> or ?everything' });
    }
    const purged = await purge(campaign);
    const error = 'Incomplete: Redis is unavailable, or files in storage cannot be removed. Mend that and purge again';
    if (purged.everywhere) json(res, 200, purged);
    else json(res, 503, { error, ...purged });
  } catch (error) {
    answerProblem(res, error instanceof Problem ? error : new Problem('internal-error'));
  }
}

function answerProblem(res: ServerResponse, { status, message, errors, allow }: Problem): void {
  if (allow !== undefined) res.setHeader('Allow', allow);
  json(res, status, { error: message, errors });
}

function json(res: ServerResponse, status: number, value: unknown): void {
  answer(res, status, 'application/json', JSON.stringify(value));
}

function answer(res: ServerResponse, status: number, contentType: string, content: string): void {
  closeAfterNewest(res);
  res.writeHead(status, {
    'Content-Type': contentType,
    'Cache-Control': 'no-store',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(content);
}
