/**
 * `Expect: 100-continue` behind another request of its connection: node:http would write the interim response between
 * the header and the content of the final one.
 */
import { connect } from 'node:net';
import { expect, test } from '@jest/globals';
import { start, targetOf, until } from '../support/harness.ts';

test('an interim response stands in no other response', async () => {
  const sendgate = await start();
  sendgate.sandbox.campaign({ id: '1', size: 500, newestMs: Date.now() });
  const { port } = new URL(sendgate.url);
  const request = (...fields: string[]) =>
    [`GET ${targetOf('/campaigns/1/sends')} HTTP/1.1`, 'Host: localhost', ...fields, '', ''].join('\r\n');
  let text = '';
  const socket = connect(Number(port), '127.0.0.1').on('data', (data) => {
    text += data;
  });
  try {
    socket.write(request() + request('Expect: 100-continue') + request('Connection: close'));
    await until(() => socket.readableEnded || socket.destroyed, 'all are answered');
    const finals = text.split(/(?=HTTP\/1\.1 200 OK\r\n)/).filter((part) => part.startsWith('HTTP/1.1 200'));
    expect(finals).toHaveLength(3);
    for (const final of finals) expect(final.slice(0, final.indexOf('{'))).not.toContain('HTTP/1.1 100');
  } finally {
    socket.destroy();
    await sendgate.close();
  }
});
