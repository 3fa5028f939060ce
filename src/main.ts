/**
 * The main program: reads the configuration, builds, listens, and drains on SIGTERM.
 *
 * It imports most when it already handles signals: that takes half a second, in which a signal would end the process, or be lost
 * where this is PID 1.
 */
import { addAbortListener } from 'node:events';
import { setImmediate } from 'node:timers/promises';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';
import { systemClock } from './clock.ts';
import type { Service } from './compose/run.ts';
import { BindFailure } from './config/bind-failure.ts';
import { ConfigError } from './config/config-error.ts';
import { fileReader } from './config/file-text.ts';
import type { Loaded } from './config/load.ts';
import { exitAfter, logDestination } from './observability/log-destination.ts';
import { redact } from './observability/redaction.ts';
import { tolerateStderr, writeToStderr } from './observability/stderr.ts';

/** sysexits.h: EX_USAGE, EX_UNAVAILABLE (an address cannot be listened on) and EX_CONFIG. */
const [exUsage, exUnavailable, exConfig] = [64, 69, 78];

const usage = `Usage: node dist/main.js [--check-config [--connect]] [--version] [--help]

  --check-config  print the effective configuration, secrets masked, and exit
  --connect       with it: check also what is around Sendgate (network, credentials, clock, files, Redis, ports), with one
                  call to Constant Contact, and print a line for each; docs/operations.md lists the exit codes
  --version       print Sendgate's version and exit
  --help          print this and exit

Everything else is set in the environment or in the file that SENDGATE_CONFIG names: see docs/operations.md.
`;

const readFile = fileReader();
const version: string = JSON.parse(readFile(fileURLToPath(new URL('../package.json', import.meta.url)))).version;

async function loadOrExit(): Promise<Loaded> {
  const { loadConfig } = await import('./config/load.ts');
  try {
    return loadConfig(process.env, readFile);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    writeToStderr(`${error.message}\n`);
    process.exit(exConfig);
  }
}

/** For the flags that print: a service logs its warnings. */
async function loadAndWarn(): Promise<Loaded> {
  const loaded = await loadOrExit();
  for (const warning of loaded.warnings) writeToStderr(`warning: ${warning}\n`);
  return loaded;
}

async function serve(): Promise<void> {
  const destination = logDestination();
  const exit = (code: number) => void exitAfter(destination, code);

  const stopping = new AbortController();
  const { signal: stop } = stopping;
  const onSignal = () => {
    if (stop.aborted) exit(1);
    stopping.abort();
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  let isReloadDue = false;
  let reload = () => {
    isReloadDue = true;
  };
  process.on('SIGHUP', () => reload());

  const loaded = await loadOrExit();
  const { secretValuesOf } = await import('./config/load.ts');
  let service: Service | undefined;
  const die = (error: unknown) => {
    const secrets = service?.secretValues() ?? secretValuesOf(loaded);
    const isBindFailure = error instanceof BindFailure;
    const stack = error instanceof Error && !isBindFailure ? error.stack : undefined;
    writeToStderr(`sendgate: ${redact(stack ?? String(isBindFailure ? error.message : error), secrets)}\n`);
    exit(isBindFailure ? exUnavailable : 1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const { startService } = await import('./compose/service.ts');
  const { refreshInProcess: refreshTokens } = await import('./upstream/oauth/refresh-process.ts');
  await setImmediate(); // Signals that came while modules were loaded are handled now.
  const parts = { clock: systemClock, readFile, logDestination: destination, version, refreshTokens, stop };
  try {
    service = await startService(loaded, parts);
  } catch (error) {
    return stop.aborted ? exit(0) : die(error);
  }
  const started = service;
  addAbortListener(stop, () => void started.stop().then(() => exit(0), die));
  reload = started.reload;
  if (isReloadDue) reload();
  started.metrics.collectProcessMetrics();
}

async function showConfig(): Promise<void> {
  const { effectiveConfig } = await import('./config/effective.ts');
  process.stdout.write(`${JSON.stringify(effectiveConfig(await loadAndWarn()), null, 2)}\n`);
}

async function reportOnSurroundings(): Promise<void> {
  const { examine } = await import('./doctor/doctor.ts');
  const { reportLine } = await import('./doctor/check-result.ts');
  const { results, exitCode, secrets } = await examine(await loadAndWarn(), {
    clock: systemClock,
    userAgent: `sendgate/${version}`,
  });
  process.stdout.write(redact(results.map((result) => `${reportLine(result)}\n`).join(''), secrets));
  process.exitCode = exitCode;
}

function parseFlags() {
  const flag = { type: 'boolean' } as const;
  try {
    const { values } = parseArgs({ options: { 'check-config': flag, connect: flag, version: flag, help: flag } });
    if (values.connect && !values['check-config']) throw new Error('--connect needs --check-config');
    return values;
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    // An argument is not repeated: it may be a secret.
    const isArgument = code === 'ERR_PARSE_ARGS_UNEXPECTED_POSITIONAL';
    writeToStderr(`${isArgument ? 'Unexpected argument: there are only flags' : message}\n\n${usage}`);
    process.exit(exUsage);
  }
}

tolerateStderr();
const flags = parseFlags();
if (flags.help) process.stdout.write(usage);
else if (flags.version) process.stdout.write(`${version}\n`);
else if (flags.connect) await reportOnSurroundings();
else if (flags['check-config']) await showConfig();
else await serve();
