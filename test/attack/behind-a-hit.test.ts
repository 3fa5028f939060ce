/**
 * Data after a hit in one segment: node:http may reject it while the hit is still being sent.
 */
import { afterEach, expect, test } from '@jest/globals';
import { type Harness, start } from '../support/harness.ts';
import { dial, statusesIn, wire } from '../support/raw.ts';

let it: Harness;
afterEach(() => it?.close());

const path = '/campaigns/5/sends';

/** Prepared responses are written differently: request until it is prepared. */
async function prepare(): Promise<void> {
  it = await start();
  it.sandbox.campaign({ id: '5', size: 500, newestMs: Date.now() - 86_400_000 });
  for (let n = 0; n < 5; n++) await (await it.get(path, { 'accept-encoding': 'identity' })).text();
}

const junk: [name: string, text: string, statuses: number[]][] = [
  ['no HTTP', 'hello\r\n\r\n', [200, 400]],
  ['a request without Host', 'GET /status HTTP/1.1\r\n\r\n', [200, 400]],
  ['CONNECT', 'CONNECT x:443 HTTP/1.1\r\nHost: x:443\r\n\r\n', [200, 405]],
  ['an expectation', wire('/status', ['Expect: x']), [200, 417]],
  [
    'too many headers',
    wire(
      '/status',
      Array.from({ length: 1_500 }, (_, n) => `X-${n}: 1`),
    ),
    [200, 431],
  ],
  ['a broken body', 'POST /status HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\nZZ\r\n', [200, 405]],
];

test.each(junk)(
  '%s after a hit in one segment is answered after it, and ends no other request',
  async (_, text, statuses) => {
    await prepare();
    for (const method of ['GET', 'HEAD']) {
      for (const hits of [1, 1, 2, 3]) {
        const { socket, closed } = await dial(it.url);
        socket.write(`${wire(path, [], method).repeat(hits)}${text}`);
        expect(statusesIn(await closed)).toEqual([...Array(hits - 1).fill(200), ...statuses]);
      }
    }
    expect((await it.get(path)).status).toBe(200);
  },
);

test('a redirect is complete: the next request on its connection is answered', async () => {
  it = await start({ SENDGATE_SERVER_BASE_PATH: '/ctct' });
  const { socket, closed } = await dial(it.url);
  // node:http itself writes more than the first one of a second.
  socket.write(wire('/ctct').repeat(3) + wire('/ctct', ['Connection: close']));
  const text = await closed;
  expect(statusesIn(text)).toEqual([308, 308, 308, 308]);
  for (const head of text.split('HTTP/1.1 308').slice(1)) expect(head).toMatch(/\r\nContent-Length: 0\r\n/);
});
