/**
 * Chooses the response writer at start: the fast one if, on this Node, it writes the same bytes as node:http.
 */
import { IncomingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Duplex } from 'node:stream';
import type { Emit } from '../events.ts';
import { FastWriter } from './fast-writer.ts';
import { headerLines } from './header-block.ts';
import { type PreparedResponse, preparedResponse, wholeResponse } from './prepared-response.ts';
import { PlainWriter, type ResponseWriter } from './response-writer.ts';

/** @param makeFast makes a writer; the probed one is discarded, since it has learned the lines of the probe's connection */
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
    return false; // The plain writer does not depend on what differs in this Node.
  }
}

/** Returns what a writer writes to a kept-alive connection, without the date; undefined if the response does not end. */
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

/** Sorts header lines: node:http puts its own last, the fast writer first, and order has no meaning (RFC 9110 §5.3). */
function sortedLines(text: string): string {
  const [header = '', ...body] = text.replace(/(?<=\r\nDate: )[^\r]+/, '').split('\r\n\r\n');
  const [status, ...fields] = header.split('\r\n');
  return [status, ...fields.sort(), '', ...body].join('\r\n');
}
