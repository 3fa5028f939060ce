/**
 * A worker: answers callers from its copies and asks the primary for everything else.
 */
import { fileURLToPath } from 'node:url';
import { systemClock as clock } from '../clock.ts';
import { buildFront } from '../compose/front.ts';
import { fileReader } from '../config/file-text.ts';
import { Mistakes } from '../config/mistakes.ts';
import { readOutboundProxies } from '../config/outbound-proxy.ts';
import type { Config } from '../config/schema.ts';
import { readableSecrets } from '../config/secret-sources.ts';
import { Secrets } from '../config/secrets.ts';
import { Events } from '../events.ts';
import { campaignIdRules } from '../model/campaign-ids.ts';
import { logEvents } from '../observability/event-log.ts';
import { createLogs } from '../observability/log.ts';
import { exitAfter, logDestination } from '../observability/log-destination.ts';
import { redact } from '../observability/redaction.ts';
import { tolerateStderr, writeToStderr } from '../observability/stderr.ts';
import { flushSpans } from '../tracing.ts';
import { Asking } from './channel.ts';
import { Copies } from './copies.ts';
import { bytesOfWorker } from './memory.ts';
import { type FromPrimary, type FromWorker, type Order, saltVariable } from './protocol.ts';
import { countedByPrimary, exportSlotsOf } from './remote.ts';

const reportEveryMs = 500;

tolerateStderr();

const readFile = fileReader();
const { version } = JSON.parse(readFile(fileURLToPath(new URL('../../package.json', import.meta.url))));

// Ignores errors: `disconnect` reports the primary's death.
const send = (message: FromWorker) => process.send?.(message, undefined, undefined, () => {});
const primary = new Asking(send);
/** Orders that arrive before this worker is built. */
const early: FromPrimary[] = [];
let obey = (order: FromPrimary) => void early.push(order);
process.on('message', (message: FromPrimary) => {
  if (message.kind === 'answer' || message.kind === 'problem') primary.received(message);
  else obey(message);
});
// The primary's, not the file's, which may say something else by now.
const config = await primary.ask('config', undefined);
const sources = readableSecrets(config.constantContact.api, process.env, readFile);
const proxies = readOutboundProxies(process.env, { mistakes: new Mistakes([]), warnings: [] });
const secrets = new Secrets(sources, readFile, () => {}, proxies.secrets);
const destination = logDestination();
const { log, accessLog, setLevel } = createLogs({
  ...{ level: config.log.level, destination },
  secrets: () => secrets.values(),
});

const exit = (code: number) => void exitAfter(destination, code);
const die = (error: unknown) => {
  const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
  writeToStderr(`sendgate worker: ${redact(text, secrets.values())}\n`);
  exit(1);
};
process.on('uncaughtException', die);
process.on('unhandledRejection', die);

const events = new Events();
logEvents(events, log);
const copies = new Copies(primary, clock, bytesOfWorker(config).copiesBytes);
const front = buildFront(config, {
  ...{ clock, version, emit: events.emit, accessLog },
  bytesForResponses: (present) => bytesOfWorker(present).responsesBytes,
  partitionSalt: process.env[saltVariable] ?? '',
  sharedCounter: countedByPrimary(primary),
  // The primary sees clients when it counts their requests.
  onSeen: () => {},
  pages: copies,
  exportSlots: exportSlotsOf(primary),
  campaignIds: campaignIdRules[config.constantContact.api],
  // The primary decides whether there is quota.
  isAmple: () => true,
  readStatus: () => primary.ask('status', undefined),
});

let url: string | undefined;
const report = () => {
  const { responses, bytes, exportsRunning } = front;
  const at = url === undefined ? {} : { url };
  send({ kind: 'report', report: { ...at, responses, bytes: bytes + copies.bytes, exportsRunning } });
};

async function drain(): Promise<void> {
  await front.drain();
  await flushSpans(clock);
  secrets.close();
  report();
  exit(0);
}

function reconfigure(present: Config): void {
  front.reconfigure(present);
  copies.maxBytes = bytesOfWorker(present).copiesBytes;
  setLevel(present.log.level);
}

function follow(order: Order): void {
  if (order === 'drain') drain().catch(die);
  else if (order === 'reload') secrets.reload();
  else if ('moved' in order) copies.moved(order.moved);
  else {
    copies.forget(order.purged);
    front.forget(order.purged);
  }
}

obey = (message) => {
  if (message.kind === 'config') reconfigure(message.config);
  else if (message.kind === 'order') follow(message.order);
};
for (const order of early) obey(order);

try {
  url = await front.listen();
  report();
  setInterval(report, reportEveryMs);
} catch (error) {
  const { code } = error as NodeJS.ErrnoException;
  if (code === undefined) die(error);
  else send({ kind: 'unbound', code });
}
