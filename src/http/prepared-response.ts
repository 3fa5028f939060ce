/**
 * A response without the header lines that differ each time.
 */
export interface PreparedResponse {
  readonly status: number;
  /** Header lines. */
  readonly lines: string;
  /** Header lines, empty line and content in one piece, to follow the other header lines; or the content alone. */
  readonly rest: string | Buffer;
  /** Offset of the content in `rest`; 0 for the content alone. */
  readonly front: number;
}

/** Statuses without content (RFC 9110 §15.3.5, §15.4.5). For all others a client waits for content or its length. */
const hasNoContent: ReadonlySet<number> = new Set([204, 304]);

/** Makes a response to be sent once. */
export function wholeResponse(status: number, lines: string, content?: Buffer): PreparedResponse {
  const length = content === undefined && hasNoContent.has(status) ? '' : `Content-Length: ${content?.length ?? 0}\r\n`;
  return { status, lines: `${lines}${length}`, rest: content ?? '', front: 0 };
}

/**
 * Node writes a text of up to 16 KB to a socket in one piece. Content short enough to join its header is kept as text, one
 * character per byte: for a header plus a buffer Node builds a list of chunks, a twentieth of a hit.
 */
const maxTextLength = 15 * 1024;

/** Prepares a response to be sent many times. */
export function preparedResponse(status: number, lines: string, content?: Buffer): PreparedResponse {
  const whole = wholeResponse(status, lines, content);
  const head = Buffer.from(`${whole.lines}\r\n`, 'latin1');
  const rest = Buffer.allocUnsafeSlow(head.length + whole.rest.length);
  rest.set(head);
  if (content) rest.set(content, head.length);
  return { ...whole, rest: rest.length > maxTextLength ? rest : rest.toString('latin1'), front: head.length };
}

/** Returns the content of a response; undefined without any. */
export function contentOf({ rest, front }: PreparedResponse): Buffer | undefined {
  if (rest.length === front) return undefined;
  return typeof rest === 'string' ? Buffer.from(rest.slice(front), 'latin1') : rest.subarray(front);
}
