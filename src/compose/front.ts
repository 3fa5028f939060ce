/**
 * Builds a front in this process: guards, teams, limits, resources and the server.
 */
import { createApp } from '../app/application.ts';
import { errorHandler } from '../app/error-handler.ts';
import { FastPath } from '../app/fast-path.ts';
import type { Front } from '../app/front.ts';
import { requestPath } from '../app/request-path.ts';
import { publicStatus } from '../app/status-endpoint.ts';
import { connectionLimits } from '../callers/connection-limits.ts';
import { expressRateLimit } from '../callers/rate-limit/express.ts';
import { oldSummary } from '../campaigns/endpoints.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';
import { chooseWriter } from '../http/choose-writer.ts';
import { headerLines } from '../http/header-block.ts';
import { trackRequests } from '../http/request-context.ts';
import { securityHeaders } from '../http/security-headers.ts';
import { createServer } from '../http/server.ts';
import type { AccessLog } from '../observability/access-log.ts';
import type { PublicStatus } from '../observability/status.ts';
import { type Tallied, Tally } from '../observability/tally.ts';
import { dropInRule } from '../reports/v2-compat/drop-in-requests.ts';
import { createSite } from '../site/site.ts';
import { buildCallers, callerRules, type LimiterParts } from './callers.ts';
import { buildResources, type SourceParts } from './resources.ts';

interface FrontParts extends LimiterParts, SourceParts {
  readonly version: string;
  readonly emit: Emit;
  readonly accessLog: AccessLog;
  /** @param responses those of this front */
  readonly readStatus: (responses: readonly Tallied[]) => PublicStatus | Promise<PublicStatus>;
}

export function buildFront(config: Config, parts: FrontParts): Front {
  const { clock, emit, version, campaignIds, accessLog, readStatus, bytesForResponses } = parts;
  const { basePath, host, port, drainTimeoutMs } = config.server;
  const isDropIn = config.server.dropInV2 ? dropInRule(basePath) : () => false;
  const onUnexpected = (err: unknown, id: string) => emit('service.unexpected_error', { id, err });

  const { callers, addresses } = buildCallers(config, { ...parts, isDropIn });
  const common = { lines: commonLines(config) };
  const resources = buildResources(config, { ...parts, commonLines: common.lines, onUnexpected });
  const { responses, readAhead, refreshAhead, endpoints, dropIns, exports } = resources;

  const tally = new Tally();
  const rateLimit = expressRateLimit();
  const answerError = errorHandler({ basePath, isDropIn, onUnexpected });
  const app = createApp({
    ...{ basePath, answerError },
    rateLimit: rateLimit.middleware,
    site: createSite({ version, basePath, campaignIds }),
    endpoints: Object.values(endpoints),
    exports: (list, format) => exports.handler(list, format),
    oldSummary: oldSummary(basePath, campaignIds),
    status: publicStatus(() => readStatus(tally.all)),
    dropIns,
  });
  const observe = trackRequests({ log: accessLog, tally, clock, common, writer: chooseWriter(emit) });
  const fastPath = new FastPath({ basePath, endpoints, answerError, onUnexpected });
  const server = createServer(app, requestPath({ callers, observe, fastPath, rateLimit, app, answerError }), {
    ...{ clock, ...config.server },
    ...connectionLimits(config, { clock, emit, addresses }),
  });
  return {
    get responses() {
      return tally.all;
    },
    get bytes() {
      return responses.bytes;
    },
    get exportsRunning() {
      return exports.running;
    },
    processes: 1,
    deaths: 0,
    listen: () => server.listen(host, port),
    reloadSecrets: () => {},
    reconfigure: (present) => {
      callers.rules = callerRules(present, addresses);
      common.lines = commonLines(present);
      responses.reconfigure(common.lines, bytesForResponses(present));
      readAhead.depth = present.cache.readAheadPages;
    },
    // Responses do not know their campaign, and are soon prepared again.
    forget: () => {
      responses.clear();
      refreshAhead.cancelAll();
    },
    drain: () => {
      refreshAhead.cancelAll();
      return server.drain(drainTimeoutMs, () => exports.resetAll());
    },
  };
}

/** A shared cache must not serve the response for a token to a request without it (RFC 9111 §4.1). */
function commonLines({ teams }: Config): string {
  const acceptTokens = teams.some(({ tokensSha256 }) => tokensSha256.length > 0);
  return `${securityHeaders()}${acceptTokens ? headerLines('Vary', 'Authorization') : ''}`;
}
