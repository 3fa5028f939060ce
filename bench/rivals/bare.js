/**
 * The limit: node:http that returns Sendgate's own answers, prepared, and does nothing else.
 */
import { createServer, get } from 'node:http';

const { PORT, PAGE_URL } = process.env;
const perConnection = new Set(['date', 'connection', 'keep-alive']);

/** What Sendgate answers to these headers, as it comes over the wire. */
const record = (headers) =>
  new Promise((resolve, reject) => {
    get(PAGE_URL, { headers }, async (answer) => {
      const parts = [];
      for await (const part of answer) parts.push(part);
      const pairs = answer.rawHeaders.flatMap((name, n) => (n % 2 === 0 ? [[name, answer.rawHeaders[n + 1]]] : []));
      const fields = pairs.filter(([name]) => !perConnection.has(name.toLowerCase())).flat();
      resolve({ status: answer.statusCode, etag: answer.headers.etag, fields, content: Buffer.concat(parts) });
    }).on('error', reject);
  });

const br = await record({ 'accept-encoding': 'br' });
const gzip = await record({ 'accept-encoding': 'gzip' });
const identity = await record({});
// A refusal has no tag, and is one answer to everything.
const notModified = await record({ 'if-none-match': br.etag ?? '*' });

createServer({ keepAliveTimeout: 75_000 }, (req, res) => {
  const accepted = req.headers['accept-encoding'] ?? '';
  const encoded = accepted.includes('br') ? br : accepted.includes('gzip') ? gzip : identity;
  const { status, fields, content } = req.headers['if-none-match'] === br.etag ? notModified : encoded;
  res.writeHead(status, fields).end(content);
}).listen(Number(PORT), '127.0.0.1');
