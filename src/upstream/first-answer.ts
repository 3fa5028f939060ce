/**
 * Notices the first answer of Constant Contact, good or bad: until then, nothing shows that it can be reached.
 */
import type { Clock } from '../clock.ts';
import type { Reply } from './adapter.ts';
import type { Transport } from './transport.ts';

/** When an answer was made, by this machine's wall clock. */
export interface AnswerTime {
  /** The answer's `Date`, unparsed. */
  readonly date: string | undefined;
  /** Halfway between request and answer, and half the time between them. */
  readonly atMs: number;
  readonly uncertainMs: number;
}

export function answerTimeOf({ headers }: Reply, sentAtMs: number, receivedAtMs: number): AnswerTime {
  const uncertainMs = (receivedAtMs - sentAtMs) / 2;
  return { date: headers['date'], atMs: sentAtMs + uncertainMs, uncertainMs };
}

/** A transport that tells once that Constant Contact has answered. */
export class FirstAnswer implements Pick<Transport, 'send' | 'describe' | 'close'> {
  readonly #transport: Pick<Transport, 'send' | 'describe' | 'close'>;
  readonly #clock: Clock;
  readonly #onFirst: (time: AnswerTime) => void;
  #isHere = false;

  constructor(
    transport: Pick<Transport, 'send' | 'describe' | 'close'>,
    clock: Clock,
    onFirst: (time: AnswerTime) => void,
  ) {
    this.#transport = transport;
    this.#clock = clock;
    this.#onFirst = onFirst;
  }

  /** Whether Constant Contact has answered. */
  get isHere(): boolean {
    return this.#isHere;
  }

  async send(...asked: Parameters<Transport['send']>): Promise<Reply> {
    if (this.#isHere) return this.#transport.send(...asked);
    const sentAtMs = this.#clock.now();
    const reply = await this.#transport.send(...asked);
    if (!this.#isHere) {
      this.#isHere = true;
      this.#onFirst(answerTimeOf(reply, sentAtMs, this.#clock.now()));
    }
    return reply;
  }

  describe(...asked: Parameters<Transport['describe']>): ReturnType<Transport['describe']> {
    return this.#transport.describe(...asked);
  }

  close(): void {
    this.#transport.close();
  }
}
