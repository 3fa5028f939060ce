/**
 * Chooses the response writer at the start: the fast one, if on this Node it writes what node:http writes.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Emit } from '../events.ts';
import { FastWriter } from './fast-writer.ts';
import { headerLines } from './header-block.ts';
import { type PreparedResponse, preparedResponse, wholeResponse } from './prepared-response.ts';
import { PlainWriter, type ResponseWriter } from './response-writer.ts';

/** @param makeFast makes a writer; the one that was probed is thrown away, with what it has learned of the probe's connection */
export function chooseWriter(emit: Emit, makeFast: () => ResponseWriter = () => new FastWriter()): ResponseWriter {
  if (writesLikeNode(makeFast())) return makeFast();
  emit('http.plain_writer', { node: process.version });
  return new PlainWriter();
}

const content = Buffer.from('{"content":"\u00e9"}');
const lines = headerLines('X-Request-Id', 'probe');
const type = headerLines('Content-Type', 'application/json');
const samples: readonly (readonly [method: string, response: PreparedResponse])[] = [
  ['GET', preparedResponse(200, type, content)],
  ['HEAD', preparedResponse(200, type, content)],
  ['GET', preparedResponse(304, type)],
  ['GET', wholeResponse(404, type, content)],
];

function writesLikeNode(fast: ResponseWriter): boolean {
  const plain = new PlainWriter();
  try {
    return samples.every(([method, response]) => {
      const [expected, first, second] = [plain, fast, fast].map((writer) => bytesOf(writer, method, response));
      return expected !== undefined && first === expected && second === expected;
    });
  } catch {
    return false; // Whatever is different in this Node, the plain writer does without it.
  }
}

/** What a writer writes to a connection that is kept alive, but for the date; undefined where the response does not end. */
function bytesOf(writer: ResponseWriter, method: string, response: PreparedResponse): string | undefined {
  let text = '';
  const connection = new Duplex({
    read: () => {},
    write: (bytes: Buffer, _encoding, done) => {
      text += bytes.toString('latin1');
      done();
    },
  });
  const req = new IncomingMessage(new Socket());
  Object.assign(req, { method, httpVersionMajor: 1, httpVersionMinor: 1 });
  const res = new ServerResponse(req);
  res.shouldKeepAlive = true;
  res.assignSocket(connection as Socket);
  writer.write(res, response, lines);
  return res.writableEnded ? sortedLines(text) : undefined;
}

/** node:http puts its own lines last, the fast writer first: their order means nothing (RFC 9110 §5.3). */
function sortedLines(text: string): string {
  const [header = '', ...body] = text.replace(/(?<=\r\nDate: )[^\r]+/, '').split('\r\n\r\n');
  const [status, ...fields] = header.split('\r\n');
  return [status, ...fields.sort(), '', ...body].join('\r\n');
}
