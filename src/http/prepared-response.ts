/**
 * A response but for what is different every time.
 */
export interface PreparedResponse {
  readonly status: number;
  /** Lines of its header block. */
  readonly lines: string;
  /** What comes behind the other lines: these, the empty line and the content in one piece; or the content alone. */
  readonly rest: string | Buffer;
  /** Where in it the content begins; 0 where it is the content alone. */
  readonly front: number;
}

/** They end with their header (RFC 9110 §15.3.5, §15.4.5). Of all others a client waits for the content, or for its length. */
const hasNoContent: ReadonlySet<number> = new Set([204, 304]);

/** A response that is sent once. */
export function wholeResponse(status: number, lines: string, content?: Buffer): PreparedResponse {
  const length = content === undefined && hasNoContent.has(status) ? '' : `Content-Length: ${content?.length ?? 0}\r\n`;
  return { status, lines: `${lines}${length}`, rest: content ?? '', front: 0 };
}

/**
 * Node writes a text of up to 16 KB to a socket in one go. What is short enough to be one with its header is kept as
 * text, one character a byte: for a header and a buffer, Node has a list of pieces to make, which was a twentieth of a hit.
 */
const maxTextLength = 15 * 1024;

/** A response that is sent many times. */
export function preparedResponse(status: number, lines: string, content?: Buffer): PreparedResponse {
  const whole = wholeResponse(status, lines, content);
  const head = Buffer.from(`${whole.lines}\r\n`, 'latin1');
  const rest = Buffer.allocUnsafeSlow(head.length + whole.rest.length);
  rest.set(head);
  if (content) rest.set(content, head.length);
  return { ...whole, rest: rest.length > maxTextLength ? rest : rest.toString('latin1'), front: head.length };
}

/** The content of a response; undefined where it has none. */
export function contentOf({ rest, front }: PreparedResponse): Buffer | undefined {
  if (rest.length === front) return undefined;
  return typeof rest === 'string' ? Buffer.from(rest.slice(front), 'latin1') : rest.subarray(front);
}
