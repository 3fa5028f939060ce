/**
 * What callers reach: one server in this process, or several worker processes.
 */
import type { Tallied } from '../observability/tally.ts';

/** What a front has done since the start. */
export interface FrontReport {
  /** All responses, counted. */
  readonly responses: readonly Tallied[];
  /** Bytes held to respond with, beside the page cache. */
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
  /** Has other processes read mounted secrets again. */
  reloadSecrets(): void;
  /** Stops accepting, finishes the requests in flight, closes idle connections. */
  drain(): Promise<void>;
}
