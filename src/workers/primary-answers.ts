/**
 * The primary's answers to the questions of one worker.
 */
import type { PageCache } from '../cache/page-cache.ts';
import type { SharedCounter } from '../callers/rate-limit/shared-counter.ts';
import type { Clock } from '../clock.ts';
import type { Config } from '../config/schema.ts';
import type { PublicStatus } from '../observability/status.ts';
import type { ExportSlots } from '../reports/export/slots.ts';
import { pageAnswers } from './page-answers.ts';
import type { Answers } from './protocol.ts';

export interface AnswerParts {
  readonly clock: Clock;
  readonly pages: PageCache;
  /** Whether there is quota for calls that no caller has requested yet. */
  readonly isAmple: () => boolean;
  readonly counter: SharedCounter;
  /** Called with a client's key while it sends requests. */
  readonly onSeen: (key: string) => void;
  readonly exportSlots: ExportSlots;
  readonly readStatus: () => PublicStatus;
  readonly readConfig: () => Config;
}

/** The slots of the exports that one worker runs. */
export class HeldSlots {
  readonly #leave = new Map<number, () => void>();
  #last = 0;

  add(leave: () => void): number {
    this.#leave.set(++this.#last, leave);
    return this.#last;
  }

  leave(slot: number): void {
    this.#leave.get(slot)?.();
    this.#leave.delete(slot);
  }

  /** Releases all slots of a worker that has ended. */
  leaveAll(): void {
    for (const slot of [...this.#leave.keys()]) this.leave(slot);
  }
}

export function answersFor(slots: HeldSlots, parts: AnswerParts): Answers {
  const { counter, onSeen, exportSlots, readStatus, readConfig } = parts;
  return {
    ...pageAnswers(parts),
    count: ({ key, count, leftMs }) => {
      onSeen(key);
      return counter.add(key, count, leftMs);
    },
    enterExport: async (exporter) => slots.add(await exportSlots.acquire(exporter)),
    leaveExport: (slot) => {
      slots.leave(slot);
      return undefined;
    },
    status: readStatus,
    config: readConfig,
  };
}
