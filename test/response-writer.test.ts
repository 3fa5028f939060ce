/**
 * Whole responses are written by a fast writer or by node:http: the bytes are the same.
 */
import { describe, expect, test } from '@jest/globals';
import type { EventKey } from '../src/events.ts';
import { chooseWriter } from '../src/http/choose-writer.ts';
import { FastWriter } from '../src/http/fast-writer.ts';
import { fieldsOf } from '../src/http/header-block.ts';
import { contentOf } from '../src/http/prepared-response.ts';
import { PlainWriter, type ResponseWriter } from '../src/http/response-writer.ts';
import { responseWriterConformance } from './conformance/response-writer.ts';

responseWriterConformance('the plain writer', () => new PlainWriter());
responseWriterConformance('the fast writer', () => new FastWriter());
// Within a second of the choice: no state of the probe's connection remains.
responseWriterConformance('the chosen writer', () => chooseWriter(() => {}));

describe('at the start', () => {
  function choose(fast?: ResponseWriter) {
    const events: EventKey[] = [];
    const chosen = chooseWriter((event) => void events.push(event), fast && (() => fast));
    return { chosen, events };
  }

  test('the fast writer is chosen on this Node', () => {
    const { chosen, events } = choose();
    expect(chosen).toBeInstanceOf(FastWriter);
    expect(events).toEqual([]);
  });

  const odd: Readonly<Record<string, ResponseWriter['write']>> = {
    'writes nothing': () => {},
    throws: () => {
      throw new TypeError('unforeseen');
    },
    'drops a line': (res, ready) => {
      res.writeHead(ready.status, fieldsOf(ready.lines));
      res.end(res.req.method === 'HEAD' ? undefined : contentOf(ready));
    },
    'writes lines twice': (res, ready, lines) => {
      res.writeHead(ready.status, fieldsOf(`${lines}${lines}${ready.lines}`));
      res.end(res.req.method === 'HEAD' ? undefined : contentOf(ready));
    },
    'sends content to HEAD': (res, ready, lines) => {
      Object.assign(res, { _header: `HTTP/1.1 ${ready.status} OK\r\n${lines}${ready.lines}\r\n`, _hasBody: true });
      res.end(contentOf(ready));
    },
  };
  test.each(Object.entries(odd))('a writer that %s is replaced by the plain one, with a warning', (_, write) => {
    const { chosen, events } = choose({ write });
    expect(chosen).toBeInstanceOf(PlainWriter);
    expect(events).toEqual(['http.plain_writer']);
  });
});
