/**
 * Requests over bare connections, and their answers beside a recording: header names' case, order and bytes included.
 */
import { createHash } from 'node:crypto';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { brotliDecompressSync, gunzipSync } from 'node:zlib';
import { mask, maskField, orderOf } from './may-differ.ts';

/** One answer as it came. */
export interface Reply {
  /** Status line and header lines, as they came. */
  readonly head: readonly string[];
  readonly status: number;
  /** Without the chunks' framing. */
  readonly raw: Buffer;
  readonly isBodiless: boolean;
  /** Whether the connection was closed before the answer was whole. */
  readonly isCut: boolean;
}

export interface Sent {
  readonly url: string;
  readonly bytes: string;
  /** The methods of the requests in `bytes`, of each of which an answer is waited for. */
  readonly methods: readonly string[];
  /** To come from, out of 127.0.0.0/8. */
  readonly from?: string | undefined;
}

/** Sends, and resolves with the answers, and whether the connection was closed after them. */
export function exchange({ url, bytes, methods, from = '127.0.0.1' }: Sent): Promise<readonly Reply[]> {
  const { hostname, port } = new URL(url);
  return new Promise((resolve, reject) => {
    const socket = connect({ host: hostname, port: Number(port), localAddress: from });
    let buffer = Buffer.alloc(0);
    const end = (replies: readonly Reply[]) => {
      clearTimeout(timer);
      socket.destroy();
      resolve(replies);
    };
    const timer = setTimeout(() => {
      socket.destroy();
      reject(new Error(`no whole answer in 20 s, but ${JSON.stringify(buffer.toString('latin1').slice(0, 300))}`));
    }, 20_000);
    socket.on('connect', () => socket.write(Buffer.from(bytes, 'latin1')));
    socket.on('data', (data) => {
      buffer = Buffer.concat([buffer, data]);
      const { replies, isWhole } = parse(buffer, methods, false);
      // One that says that it closes has to close.
      if (isWhole && !replies.at(-1)?.head.some((line) => /^connection: close$/i.test(line))) end(replies);
    });
    socket.on('error', () => {});
    socket.on('close', () => end(parse(buffer, methods, true).replies));
  });
}

interface Parsed {
  readonly replies: readonly Reply[];
  /** Whether all that were waited for have come. */
  readonly isWhole: boolean;
}

function parse(buffer: Buffer, methods: readonly string[], isClosed: boolean): Parsed {
  const replies: Reply[] = [];
  let at = 0;
  for (const method of methods) {
    const end = buffer.indexOf('\r\n\r\n', at);
    if (end === -1) return { replies, isWhole: false };
    const head = buffer.toString('latin1', at, end).split('\r\n');
    const status = Number(head[0]?.split(' ')[1]);
    at = end + 4;
    if (status === 100) {
      const { replies: rest, isWhole } = parse(buffer.subarray(at), [method], isClosed);
      replies.push({ head, status, raw: Buffer.alloc(0), isBodiless: true, isCut: false }, ...rest);
      return { replies, isWhole };
    }
    const field = (name: string) =>
      head.find((line) => line.toLowerCase().startsWith(`${name}: `))?.slice(name.length + 2);
    const isBodiless = method === 'HEAD' || status === 204 || status === 304;
    const length = field('content-length');
    let body: { raw: Buffer; next: number } | undefined;
    if (isBodiless) body = { raw: Buffer.alloc(0), next: at };
    else if (field('transfer-encoding') === 'chunked') body = dechunk(buffer, at);
    else if (length === undefined) body = isClosed ? { raw: buffer.subarray(at), next: buffer.length } : undefined;
    else if (buffer.length >= at + Number(length))
      body = { raw: buffer.subarray(at, at + Number(length)), next: at + Number(length) };
    if (!body && !isClosed) return { replies, isWhole: false };
    replies.push({ head, status, isBodiless, isCut: !body, raw: body?.raw ?? buffer.subarray(at) });
    at = body?.next ?? buffer.length;
  }
  return { replies, isWhole: true };
}

function dechunk(buffer: Buffer, from: number): { raw: Buffer; next: number } | undefined {
  const parts: Buffer[] = [];
  for (let at = from; ; ) {
    const end = buffer.indexOf('\r\n', at);
    if (end === -1) return undefined;
    const size = Number.parseInt(buffer.toString('latin1', at, end), 16);
    const next = end + 2 + size + 2;
    if (buffer.length < next) return undefined;
    if (size === 0) return { raw: Buffer.concat(parts), next };
    parts.push(buffer.subarray(end + 2, next - 2));
    at = next;
  }
}

export const fieldOf = ({ head }: Reply, name: string): string =>
  head.find((line) => line.toLowerCase().startsWith(`${name.toLowerCase()}: `))?.slice(name.length + 2) ?? '';

/** The body without its content coding. Compressed bytes depend on Node's zlib: which coding it is stands in a header. */
export function bodyOf(reply: Reply): Buffer {
  if (reply.isBodiless || reply.isCut) return reply.raw;
  const coding = fieldOf(reply, 'content-encoding');
  if (coding === 'br') return brotliDecompressSync(reply.raw);
  return coding === 'gzip' ? gunzipSync(reply.raw) : reply.raw;
}

/** An answer as it is compared: its head in lines, and its body. */
export interface Kept {
  readonly head: readonly string[];
  readonly body: string;
}

/** Bodies up to this length are kept as they are. */
const shortBytes = 300;

export function keptOf(reply: Reply, target: string, isPipelined: boolean, numberOf: (key: string) => number): Kept {
  const [contentType, requestId] = [fieldOf(reply, 'content-type'), fieldOf(reply, 'x-request-id')];
  const body = reply.isBodiless ? undefined : bodyOf(reply);
  const masked = reply.isCut
    ? { body: '<cut off>', fields: [] }
    : mask({ target, status: reply.status, contentType, body, requestId });
  const isCompressed = fieldOf(reply, 'content-encoding') !== '';
  const isOpen = (name: string) =>
    masked.fields.includes(name.toLowerCase()) || (isCompressed && name.toLowerCase() === 'content-length');
  const head = orderOf(reply.head).map((line, index) => {
    const colon = line.indexOf(': ');
    if (index === 0 || colon === -1) return line;
    const [name, value] = [line.slice(0, colon), line.slice(colon + 2)];
    return `${name}: ${isOpen(name) ? '<follows from the body>' : maskField(name, value, isPipelined, numberOf)}`;
  });
  const bytes = typeof masked.body === 'string' ? Buffer.from(masked.body) : masked.body;
  const text = bytes.toString('latin1');
  const digest = createHash('sha256').update(bytes).digest('base64url').slice(0, 32);
  return { head, body: bytes.length > shortBytes ? `sha256 ${digest}, ${bytes.length} bytes` : text };
}

/** How one answer differs from another, in words; undefined where it does not. */
export function differenceOf(recorded: readonly Kept[], now: readonly Kept[]): string | undefined {
  if (recorded.length !== now.length) return `${recorded.length} answers were recorded; now ${now.length} came`;
  for (const [index, { head, body }] of recorded.entries()) {
    const other = now[index] as Kept;
    const at = Math.max(head.length, other.head.length);
    const where = recorded.length > 1 ? `answer ${index + 1}, ` : '';
    for (let line = 0; line < at; line++) {
      if (head[line] === other.head[line]) continue;
      const name = line === 0 ? 'status line' : `header ${line}`;
      return `${where}${name}: recorded ${quoted(head[line])}, now ${quoted(other.head[line])}`;
    }
    if (body !== other.body) return `${where}body, ${firstDifference(body, other.body)}`;
  }
  return undefined;
}

const quoted = (line: string | undefined) => (line === undefined ? 'nothing' : JSON.stringify(line));

function firstDifference(one: string, other: string): string {
  if (one.startsWith('sha256 ') || other.startsWith('sha256 ')) return `recorded ${quoted(one)}, now ${quoted(other)}`;
  let at = 0;
  while (one[at] === other[at]) at++;
  return `byte ${at}: recorded ${quoted(one.slice(at, at + 60))}, now ${quoted(other.slice(at, at + 60))}`;
}

/** The recording as it is on disk. Lines stand in it once, and answers name them by number. */
interface Recording {
  readonly lines: readonly string[];
  readonly scenes: Readonly<Record<string, readonly RecordedStep[]>>;
}
/** Title, digest of what was sent, and the answers: each its lines by number, and its body. */
type RecordedStep = readonly [string, string, ...(readonly [readonly number[], string])[]];

export interface Step {
  readonly title: string;
  /** What was sent, as text. */
  readonly sent: string;
  readonly answers: readonly Kept[];
}

/** Of a request. The tag that a caller sends back is that of a body, which may be a text. */
export const digestOf = (text: string) =>
  createHash('sha256')
    .update(text.replaceAll(/W\/"[\w-]{22}"/g, '<tag>'))
    .digest('base64url')
    .slice(0, 8);

export function readRecording(file: string): Recording {
  if (!existsSync(file)) throw new Error(`${file} is missing: record it on purpose, with RECORD=1`);
  return JSON.parse(readFileSync(file, 'utf8'));
}

/** The answers of one scene as they were recorded. */
export function recordedSteps({ lines, scenes }: Recording, scene: string) {
  const steps = scenes[scene];
  if (!steps) throw new Error(`nothing is recorded of ${JSON.stringify(scene)}`);
  return steps.map(([title, digest, ...answers]) => ({
    title,
    digest,
    answers: answers.map(([head, body]) => ({ head: head.map((line) => lines[line] ?? ''), body })),
  }));
}

export function writeRecording(file: string, scenes: ReadonlyMap<string, readonly Step[]>): void {
  const numbers = new Map<string, number>();
  const numberOf = (line: string) => {
    if (!numbers.has(line)) numbers.set(line, numbers.size);
    return numbers.get(line) as number;
  };
  const sceneTexts = [...scenes].map(([name, steps]) => {
    const rows = steps.map(({ title, sent, answers }) =>
      JSON.stringify([title, digestOf(sent), ...answers.map(({ head, body }) => [head.map(numberOf), body])]),
    );
    return `${JSON.stringify(name)}:[\n${rows.join(',\n')}\n]`;
  });
  const lines = [...numbers.keys()].map((line) => JSON.stringify(line));
  writeFileSync(file, `{"lines":[\n${lines.join(',\n')}\n],\n"scenes":{\n${sceneTexts.join(',\n')}\n}}\n`);
}
