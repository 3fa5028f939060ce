/**
 * What keeps everybody from asking Constant Contact in vain, with a line in the log for each change, once each way.
 */
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { Logger } from '../observability/log.ts';
import { Problem } from '../problems.ts';
import { endOfDay, quotaExhausted } from '../quota/day.ts';
import { Breaker } from './breaker.ts';
import { Gate } from './gate.ts';
import type { Finding } from './prober.ts';

export interface Gates {
  /** Shut while the API is withdrawn. */
  readonly gone: Gate;
  /** Shut while the day's quota is spent. */
  readonly day: Gate;
  /** Shut while the credentials are refused, or those of a user who may not read reports. */
  readonly credentials: Gate;
  /** Its gate is shut while Constant Contact is down. */
  readonly breaker: Breaker;
}

interface Parts {
  readonly clock: Clock;
  readonly log: Logger;
  /** Ends every wait for a turn: the calls would be in vain. */
  readonly refuseWaiting: (problem: Problem) => void;
}

/** In case the limit was raised in the course of the day, or the API not withdrawn after all. */
const hourMs = 3_600_000;

export function buildGates({ constantContact }: Config, { clock, log, refuseWaiting }: Parts): Gates {
  const { api, credentialsRetrySeconds, breakerFailures, breakerProbeMs } = constantContact;
  const gone: Gate = new Gate(clock, {
    probeEveryMs: hourMs,
    reads: (finding) => (finding === 'gone' ? 'shut' : finding === 'answered' ? 'open' : undefined),
    problem: () => new Problem('upstream-gone', { reason: 'gone', detail: goneDetails[api] }),
    onChange: (shut) => {
      if (!shut)
        return log.info({ event: 'upstream.back' }, `Constant Contact's API ${api} answers again; back in use`);
      log.error(
        { event: 'upstream.gone', guide: goneGuides[api] },
        `Constant Contact has withdrawn its API ${api}; ${goneRemedies[api]}`,
      );
      refuseWaiting(gone.problem);
    },
  });
  const day: Gate = new Gate(clock, {
    probeEveryMs: hourMs,
    reads: (finding) => (finding === 'day' ? 'shut' : finding === 'answered' ? 'open' : undefined),
    until: () => endOfDay(clock.now()),
    problem: () => quotaExhausted(clock.now()),
    onChange: (shut) => {
      if (!shut) return log.info('Constant Contact takes calls again');
      log.error("Constant Contact's quota of the day is spent: held pages are served until 00:00 UTC");
      refuseWaiting(day.problem);
    },
  });
  const credentials: Gate = new Gate(clock, {
    probeEveryMs: credentialsRetrySeconds * 1000,
    reads: (finding) => (isRefused(finding) ? 'shut' : finding === 'answered' ? 'open' : undefined),
    problem: () => new Problem('upstream-credentials-refused', { reason: 'gate' }),
    onChange: (shut, finding) => {
      if (!shut) return log.info('Constant Contact takes the credentials again');
      if (finding === 'unprivileged')
        log.error({ event: 'upstream.access_denied', privilege: 'ui:campaign:metrics' }, accessDenied);
      else log.error(`Constant Contact refuses the credentials: ${remedies[api]}`);
      refuseWaiting(credentials.problem);
    },
  });
  const breaker: Breaker = new Breaker(clock, { failures: breakerFailures, probeEveryMs: breakerProbeMs }, (isOpen) => {
    if (!isOpen) return log.info('Constant Contact answers again');
    log.error('Constant Contact is down: held pages are served, and it is tried now and then');
    refuseWaiting(breaker.gate.problem);
  });
  return { gone, day, credentials, breaker };
}

export const isRefused = (finding: Finding) => finding === 'refused' || finding === 'unprivileged';

const remedies = {
  v2: 'replace the API key or the access token',
  v3: 'see that the application may read campaign data, or authorize it anew with `npm run authorize`',
};

const accessDenied =
  'Constant Contact denies access: the user who authorized Sendgate may not read reports, for which it takes the privilege ' +
  'ui:campaign:metrics (Owner and Account Manager have it, Campaign Creator does not); run `npm run authorize` as such a user';

const goneDetails = {
  v2: 'Constant Contact has withdrawn API v2, which Sendgate is set to use. Its operators have to move to v3 (`CONSTANT_CONTACT_API=v3`).',
  v3: 'Constant Contact has withdrawn API v3, which Sendgate is set to use. Its operators have to find out what takes its place.',
};

const goneRemedies = {
  v2: 'held pages are served: set CONSTANT_CONTACT_API=v3 and authorize, as docs/first-page-with-v3.md shows',
  v3: "held pages are served: see Constant Contact's release notes for what takes its place, and upgrade Sendgate",
};

const goneGuides = { v2: 'docs/first-page-with-v3.md', v3: undefined };
