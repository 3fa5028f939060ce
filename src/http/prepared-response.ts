import { headLines, inOnePiece } from './header-block.ts';

/**
 * A response but for what is different every time.
 */
export interface ReadyAnswer {
  readonly status: number;
  /** Lines of its header block. */
  readonly lines: string;
  readonly content: Buffer | undefined;
}

export function readyAnswer(status: number, lines: string, content?: Buffer): ReadyAnswer {
  const length = content === undefined ? '' : headLines('Content-Length', String(content.length));
  return { status, lines: inOnePiece(`${lines}${length}`), content };
}
