/**
 * The promises of every response writer, on real connections.
 */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from '@jest/globals';
import { headerLines } from '../../src/http/header-block.ts';
import { type PreparedResponse, preparedResponse, wholeResponse } from '../../src/http/prepared-response.ts';
import type { ResponseWriter } from '../../src/http/response-writer.ts';
import { dial, wire } from '../support/raw.ts';

const type = headerLines('Content-Type', 'text/plain');
const small = Buffer.from('småll');
const large = Buffer.alloc(300_000, 'a line of a large body\n');

const responses: Readonly<Record<string, PreparedResponse>> = {
  '/prepared': preparedResponse(200, type, small),
  '/prepared-large': preparedResponse(200, type, large),
  '/once': wholeResponse(404, type, small),
  '/no-content': wholeResponse(204, headerLines('Allow', 'GET')),
  '/not-modified': preparedResponse(304, headerLines('ETag', 'W/"1"')),
};

const statusLines: Readonly<Record<number, string>> = {
  200: 'HTTP/1.1 200 OK',
  204: 'HTTP/1.1 204 No Content',
  304: 'HTTP/1.1 304 Not Modified',
  404: 'HTTP/1.1 404 Not Found',
};

const keptAlive = ['Connection: keep-alive', 'Keep-Alive: timeout=5'];

/** The lines of a header, sorted: the order of fields means nothing (RFC 9110 §5.3). */
function expected(target: string, connection: readonly string[]): string[] {
  const { status, lines } = responses[target] ?? wholeResponse(500, '');
  const own = lines.split('\r\n').filter((line) => line !== '');
  return [statusLines[status] ?? '', ...['X-Request-Id: one', 'Date: ?', ...own, ...connection].sort()];
}

function headerOf(text: string): string[] {
  const [status = '', ...fields] = text
    .replace(/(?<=\r\nDate: )\w{3}, \d\d \w{3} \d{4} [\d:]{8} GMT/, '?')
    .split('\r\n');
  return [status, ...fields.sort()];
}

const bodyOf = (target: string, method = 'GET') => {
  if (method === 'HEAD' || target === '/no-content' || target === '/not-modified') return '';
  return (target === '/prepared-large' ? large : small).toString('latin1');
};

export function responseWriterConformance(name: string, make: () => ResponseWriter): void {
  describe(`${name} writes`, () => {
    let server: Server;
    let url = '';
    beforeAll(async () => {
      const writer = make();
      server = createServer((req, res) => {
        writer.write(res, responses[req.url ?? ''] ?? wholeResponse(500, ''), headerLines('X-Request-Id', 'one'));
      });
      await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
      url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
    });
    afterAll(() => {
      server.closeAllConnections();
      server.close();
    });

    /** Everything received until the server closes the connection. */
    async function talk(...requests: readonly string[]): Promise<string> {
      const { socket, closed } = await dial(url);
      socket.write(requests.join(''));
      return closed;
    }
    const last = ['Connection: close'];

    test.each(Object.keys(responses).flatMap((target) => ['GET', 'HEAD'].map((method) => [method, target] as const)))(
      '%s %s',
      async (method, target) => {
        // The first response of a second may be written differently from the next ones.
        const asked = [wire(target, [], method), wire(target, [], method), wire(target, last, method)];
        let text = await talk(...asked);
        for (const connection of [keptAlive, keptAlive, last]) {
          const end = text.indexOf('\r\n\r\n');
          const body = bodyOf(target, method);
          expect(headerOf(text.slice(0, end))).toEqual(expected(target, connection));
          expect(text.slice(end + 4, end + 4 + body.length) === body).toBe(true);
          text = text.slice(end + 4 + body.length);
        }
        expect(text).toBe('');
      },
    );

    test('to HTTP/1.0, and closes', async () => {
      const [header = '', body] = (await talk('GET /prepared HTTP/1.0\r\n\r\n')).split('\r\n\r\n');
      expect(headerOf(header)).toEqual(expected('/prepared', last));
      expect(body).toBe(bodyOf('/prepared'));
    });

    test('to HTTP/1.0 with keep-alive', async () => {
      const { socket, text, closed } = await dial(url);
      socket.write('GET /prepared HTTP/1.0\r\nConnection: keep-alive\r\n\r\n');
      while (!text().endsWith(bodyOf('/prepared'))) await new Promise((resolve) => setTimeout(resolve, 5));
      socket.end();
      expect(headerOf((await closed).split('\r\n\r\n')[0] ?? '')).toEqual(expected('/prepared', keptAlive));
    });

    test('pipelined responses in order', async () => {
      const targets = ['/prepared-large', '/prepared', '/not-modified', '/once', '/no-content', '/prepared-large'];
      const text = await talk(...targets.map((target) => wire(target)), wire('/once', last));
      const bodies = [...targets, '/once'].map((target) => bodyOf(target));
      expect(text.match(/HTTP\/1\.1 \d{3}/g)?.map((line) => Number(line.slice(-3)))).toEqual([
        ...[200, 200, 304, 404, 204, 200, 404],
      ]);
      expect(text.split(/HTTP\/1\.1 \d{3} [\s\S]+?\r\n\r\n/).slice(1)).toEqual(bodies);
    });
  });
}
