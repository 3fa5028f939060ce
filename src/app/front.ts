/**
 * The front that callers reach: one server in this process, or several worker processes.
 */
import type { Config } from '../config/schema.ts';
import type { Tallied } from '../observability/tally.ts';

/** Counts of a front since start. */
export interface FrontReport {
  /** All responses, counted. */
  readonly responses: readonly Tallied[];
  /** Bytes of prepared responses, outside the page cache. */
  readonly bytes: number;
  readonly exportsRunning: number;
  /** Processes that accept connections. */
  readonly processes: number;
  /** Processes that died and were replaced. */
  readonly deaths: number;
}

export interface Front extends FrontReport {
  /** Resolves with the URL. Rejects when the address cannot be bound. */
  listen(): Promise<string>;
  /** Applies a changed configuration, in other processes too. */
  reconfigure(config: Config): void;
  /** Drops what is left of a purged campaign, or of all (undefined), in other processes too. */
  forget(campaign: string | undefined): void;
  /** Makes other processes reread mounted secrets. */
  reloadSecrets(): void;
  /** Stops accepting, finishes requests in flight, closes idle connections. */
  drain(): Promise<void>;
}
