/** Loaded into a server under test: at SIGUSR2, how long its event loop has stood still since the last one. */
import { writeFileSync } from 'node:fs';
import { monitorEventLoopDelay } from 'node:perf_hooks';

const resolution = 1;
const delay = monitorEventLoopDelay({ resolution });
delay.enable();
process.on('SIGUSR2', () => {
  const ms = (nanoseconds) => Math.max(0, nanoseconds / 1e6 - resolution);
  writeFileSync(process.env.LOOP_DELAY_FILE, JSON.stringify({ p99: ms(delay.percentile(99)), most: ms(delay.max) }));
  delay.reset();
});
