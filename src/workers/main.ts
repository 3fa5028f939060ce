/**
 * A worker: answers callers out of its copies, and asks the primary for everything else.
 */
import { readFileSync } from 'node:fs';
import type { Counting } from '../callers/rate-limit/rate-limit.ts';
import { systemClock as clock } from '../clock.ts';
import { buildFront } from '../compose/front.ts';
import { loadConfig } from '../config/load.ts';
import { Secrets } from '../config/secrets.ts';
import { Events } from '../events.ts';
import { campaignIdRules } from '../model/campaign-ids.ts';
import type { CampaignSummary } from '../model/sends.ts';
import { logEvents } from '../observability/event-log.ts';
import { createLogs } from '../observability/log.ts';
import { exitAfter, logDestination } from '../observability/log-destination.ts';
import { redact } from '../observability/redaction.ts';
import type { PublicStatus } from '../observability/status.ts';
import { tolerateStderr, writeToStderr } from '../observability/stderr.ts';
import type { ExportPlaces } from '../reports/export/slots.ts';
import { flushSpans } from '../tracing.ts';
import { Asking, type FromPrimary, type FromWorker, saltVariable } from './channel.ts';
import { Copies } from './copies.ts';
import { bytesOfWorker } from './memory.ts';
import type { Order, Report } from './workers.ts';

const reportEveryMs = 500;

tolerateStderr();

const readFile = (path: string) => readFileSync(path, 'utf8');
const { version } = JSON.parse(readFile(new URL('../../package.json', import.meta.url).pathname));
const { config, secrets: sources } = loadConfig(process.env, readFile);
const secrets = new Secrets(sources, readFile, () => {});
const destination = logDestination();
const { log, accessLog } = createLogs({ level: config.log.level, destination, secrets: () => secrets.values() });

const exit = (code: number) => void exitAfter(destination, code);
const die = (error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeToStderr(`sendgate worker: ${redact(text, secrets.values())}\n`);
  exit(1);
};
process.on('uncaughtException', die);
process.on('unhandledRejection', die);
// The primary says when it is time: a terminal tells all processes at once.
for (const signal of ['SIGINT', 'SIGTERM', 'SIGHUP'] as const) process.on(signal, () => {});
process.once('disconnect', () => exit(1));

// A primary that has died is noticed by `disconnect`.
const send = (message: FromWorker<Report>) => process.send?.(message, undefined, undefined, () => {});
const events = new Events();
logEvents(events, log);
const { emit } = events;
const primary = new Asking(send);
const counting: Counting = {
  isUp: true,
  add: (key, count, leftMs) => primary.ask('count', { key, count, leftMs }),
};
const exportPlaces: ExportPlaces = {
  enter: async (exporter) => {
    const place = await primary.ask<number>('enterExport', exporter);
    return () => void primary.ask('leaveExport', place);
  },
};
const { copiesBytes, answersBytes } = bytesOfWorker(config);
const copies = new Copies(primary, clock, copiesBytes);
const front = buildFront(config, {
  ...{ clock, version, emit, accessLog, counting, exportPlaces, answersBytes },
  partitionSalt: process.env[saltVariable] ?? '',
  pages: copies,
  // The primary learns of clients when it counts their requests.
  onSeen: () => {},
  summaries: { get: (campaign, payer, signal) => primary.ask<CampaignSummary>('summary', { campaign, payer }, signal) },
  campaignIds: campaignIdRules[config.constantContact.api],
  isAmple: () => true,
  readStatus: () => primary.ask<PublicStatus>('status', undefined),
});

let url: string | undefined;
const report = () => {
  const { given, bytes, exportsRunning } = front;
  const news = { ...(url !== undefined && { url }), given, bytes: bytes + copies.bytes, exportsRunning };
  send({ kind: 'news', news });
};

async function drain(): Promise<void> {
  await front.drain();
  await flushSpans(clock);
  secrets.close();
  report();
  exit(0);
}

process.on('message', (message: FromPrimary<Order>) => {
  if (message.kind !== 'news') return primary.received(message);
  if (message.news === 'drain') drain().catch(die);
  else if (message.news === 'reload') secrets.reload();
  else copies.moved(message.news.moved);
});
url = await front.listen();
report();
setInterval(report, reportEveryMs);
