/**
 * The management listener: probes and metrics, apart from what callers reach.
 */
import type { IncomingMessage, RequestListener, ServerResponse } from 'node:http';
import { isAllowedOrAddress } from '../callers/host-guard.ts';
import type { Health } from './health.ts';
import type { Metrics } from './metrics.ts';
import type { StatusBoard } from './status.ts';

interface Parts {
  readonly health: Health;
  readonly metrics: Metrics;
  readonly status: StatusBoard;
  readonly allowedHosts: readonly string[];
}

/** `GET /livez`, `GET /readyz` (503 while starting or draining), `GET /status` and `GET /metrics`. */
export function managementListener({ health, metrics, status, allowedHosts }: Parts): RequestListener {
  const routes: Record<string, (res: ServerResponse) => void | Promise<void>> = {
    '/livez': (res) => json(res, 200, { status: 'ok' }),
    '/readyz': (res) => {
      const readiness = health.readiness();
      json(res, health.phase === 'ready' ? 200 : 503, readiness);
    },
    '/status': (res) => json(res, 200, status.read()),
    '/metrics': async (res) => {
      const text = await metrics.registry.metrics();
      res.writeHead(200, { 'Content-Type': metrics.registry.contentType, 'Cache-Control': 'no-store' }).end(text);
    },
  };
  return (req: IncomingMessage, res: ServerResponse) => {
    if (!isAllowedOrAddress(req, allowedHosts)) return json(res, 421, { error: 'host not allowed' });
    const path = (req.url ?? '').split('?', 1)[0] ?? '';
    const route = Object.hasOwn(routes, path) ? routes[path] : undefined;
    if (!route) return json(res, 404, { error: 'not found', paths: Object.keys(routes) });
    if (req.method !== 'GET' && req.method !== 'HEAD') {
      res.setHeader('Allow', 'GET, HEAD');
      return json(res, 405, { error: 'method not allowed' });
    }
    Promise.resolve(route(res)).catch((error: unknown) => res.destroy(error instanceof Error ? error : undefined));
  };
}

function json(res: ServerResponse, status: number, value: unknown): void {
  res.writeHead(status, {
    'Content-Type': 'application/json',
    'Cache-Control': 'no-store',
    'Cross-Origin-Resource-Policy': 'same-origin',
    'X-Content-Type-Options': 'nosniff',
  });
  res.end(JSON.stringify(value));
}
