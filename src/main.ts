/**
 * The main program: reads the configuration, builds, listens, and drains on SIGTERM.
 */
import { readFileSync } from 'node:fs';
import { parseArgs } from 'node:util';
import { systemClock } from './clock.ts';
import type { Service } from './compose/run.ts';
import { startService } from './compose/service.ts';
import { ConfigError } from './config/config-error.ts';
import { effectiveConfig } from './config/effective.ts';
import { type Loaded, loadConfig } from './config/load.ts';
import { exitAfter, logDestination } from './observability/log-destination.ts';
import { redact } from './observability/redaction.ts';
import { tolerateStderr, writeToStderr } from './observability/stderr.ts';
import { refreshInProcess } from './upstream/oauth/refresh-process.ts';

/** sysexits.h: something was found in an unconfigured or misconfigured state. */
const exConfig = 78;

const usage = `Usage: node dist/main.js [--check-config] [--help]

  --check-config  print the effective configuration, secrets masked, and exit
  --help          print this and exit

Everything else is set in the environment or in the file that SENDGATE_CONFIG names: see docs/operations.md.
`;

const readFile = (path: string) => readFileSync(path, 'utf8');
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

async function serve(loaded: Loaded): Promise<void> {
  const destination = logDestination();
  let service: Service | undefined;
  const exit = (code: number) => void exitAfter(destination, code);

  const die = (error: unknown) => {
    const secrets = service?.secretValues() ?? Object.values(loaded.secrets).map(({ value }) => value);
    const text = error instanceof Error ? (error.stack ?? error.message) : String(error);
    writeToStderr(`sendgate: ${redact(text, secrets)}\n`);
    exit(1);
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

function parseFlags() {
  try {
    return parseArgs({ options: { 'check-config': { type: 'boolean' }, help: { type: 'boolean' } } }).values;
  } catch {
    writeToStderr(usage);
    process.exit(64); // sysexits.h: the command was used incorrectly
  }
}

tolerateStderr();
const flags = parseFlags();
if (flags.help) process.stdout.write(usage);
else if (flags['check-config']) process.stdout.write(`${JSON.stringify(effectiveConfig(loadOrExit()), null, 2)}\n`);
else await serve(loadOrExit());
