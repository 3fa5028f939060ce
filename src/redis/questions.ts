/**
 * Sends scripts to Redis with a time limit, counts them, and derives from failures whether Redis is up.
 */
import type { Redis as Client, Cluster } from 'ioredis';
import type { Clock } from '../clock.ts';
import { aCommand, type Failure, failureOf } from './failures.ts';
import type { Liveness } from './liveness.ts';
import { deniedIn, permitted, scriptCommands } from './permissions.ts';
import { type Reply, runScript, type Script } from './scripts.ts';
import { within } from './time-limit.ts';

interface Parts {
  readonly clock: Clock;
  readonly liveness: Liveness;
  readonly timeoutMs: number;
  readonly channel: string;
  /** Key for testing commands. */
  readonly unusedKey: string;
  /** Called after each script with `ok` or the failure's reason, from a closed set. */
  readonly asked: (script: string, outcome: string, seconds: number) => void;
}

export class Questions {
  readonly #client: Client | Cluster;
  readonly #parts: Parts;

  constructor(client: Client | Cluster, parts: Parts) {
    this.#client = client;
    this.#parts = parts;
  }

  /** Runs a script. Resolves with undefined without a timely reply; never rejects. */
  async ask(script: Script, values: readonly (string | number | Buffer)[]): Promise<Reply | undefined> {
    const { clock, liveness, timeoutMs, asked } = this.#parts;
    const startedAt = clock.monotonic();
    let outcome = 'ok';
    try {
      const reply = await within(clock, timeoutMs, runScript(this.#client, script, values));
      liveness.answered();
      return reply;
    } catch (error) {
      const why = failureOf(error);
      outcome = why.reason;
      if (why.denied === aCommand && script !== permitted) void this.areAllPermitted(why);
      else if (outcome === 'late') liveness.answeredLate(why);
      else liveness.down(why);
      return undefined;
    } finally {
      asked(script.name, outcome, (clock.monotonic() - startedAt) / 1000);
    }
  }

  /**
   * Whether access control permits every command of the scripts. If not, Redis counts as down for that reason.
   *
   * @param unnamed the reason to report if a script was denied something that cannot be identified
   */
  async areAllPermitted(unnamed?: Failure): Promise<boolean> {
    const { liveness, unusedKey, channel } = this.#parts;
    const reply = await this.ask(permitted, [unusedKey, channel, JSON.stringify(scriptCommands)]);
    if (!Array.isArray(reply)) return false;
    const why = deniedIn(reply) ?? unnamed;
    if (why) liveness.down(why);
    return why === undefined;
  }
}
