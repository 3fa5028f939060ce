/**
 * The main program: reads the configuration, builds, listens, and drains on SIGTERM.
 */
import { parseArgs } from 'node:util';
import { systemClock } from './clock.ts';
import type { Service } from './compose/run.ts';
import { startService } from './compose/service.ts';
import { BindFailure } from './config/bind-failure.ts';
import { ConfigError } from './config/config-error.ts';
import { effectiveConfig } from './config/effective.ts';
import { fileReader } from './config/file-text.ts';
import { type Loaded, loadConfig, secretValuesOf } from './config/load.ts';
import { reportLine } from './doctor/check-result.ts';
import { examine } from './doctor/doctor.ts';
import { exitAfter, logDestination } from './observability/log-destination.ts';
import { redact } from './observability/redaction.ts';
import { tolerateStderr, writeToStderr } from './observability/stderr.ts';
import { refreshInProcess } from './upstream/oauth/refresh-process.ts';

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
const version: string = JSON.parse(readFile(new URL('../package.json', import.meta.url).pathname)).version;

function loadOrExit(): Loaded {
  try {
    return loadConfig(process.env, readFile);
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    writeToStderr(`${error.message}\n`);
    process.exit(exConfig);
  }
}

/** For the flags that print: a service logs its warnings. */
function loadAndWarn(): Loaded {
  const loaded = loadOrExit();
  for (const warning of loaded.warnings) writeToStderr(`warning: ${warning}\n`);
  return loaded;
}

async function serve(loaded: Loaded): Promise<void> {
  const destination = logDestination();
  let service: Service | undefined;
  const exit = (code: number) => void exitAfter(destination, code);

  const die = (error: unknown) => {
    const secrets = service?.secretValues() ?? secretValuesOf(loaded);
    const isBindFailure = error instanceof BindFailure;
    const stack = error instanceof Error && !isBindFailure ? error.stack : undefined;
    writeToStderr(`sendgate: ${redact(stack ?? String(isBindFailure ? error.message : error), secrets)}\n`);
    exit(isBindFailure ? exUnavailable : 1);
  };
  process.on('uncaughtException', die);
  process.on('unhandledRejection', die);

  const parts = { clock: systemClock, readFile, logDestination: destination, version, refreshTokens: refreshInProcess };
  service = await startService(loaded, parts);
  const { reload, stop } = service;

  let stopping = false;
  const onSignal = () => {
    if (stopping) exit(1);
    stopping = true;
    stop().then(() => exit(0), die);
  };
  process.on('SIGTERM', onSignal);
  process.on('SIGINT', onSignal);
  process.on('SIGHUP', reload);
  service.metrics.collectProcessMetrics();
}

async function reportOnSurroundings(loaded: Loaded): Promise<void> {
  const { results, exitCode, secrets } = await examine(loaded, {
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
  } catch {
    writeToStderr(usage);
    process.exit(exUsage);
  }
}

tolerateStderr();
const flags = parseFlags();
if (flags.help) process.stdout.write(usage);
else if (flags.version) process.stdout.write(`${version}\n`);
else if (flags.connect) await reportOnSurroundings(loadAndWarn());
else if (flags['check-config']) process.stdout.write(`${JSON.stringify(effectiveConfig(loadAndWarn()), null, 2)}\n`);
else await serve(loadOrExit());
