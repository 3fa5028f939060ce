/**
 * The limit: node:http that returns ready buffers and does nothing else.
 */
import { createServer } from 'node:http';
import { brotliCompressSync, constants, gzipSync } from 'node:zlib';

const { PORT, PAGE_URL } = process.env;
const identity = Buffer.from(await (await fetch(PAGE_URL)).arrayBuffer());
const gzip = gzipSync(identity);
const br = brotliCompressSync(identity, { params: { [constants.BROTLI_PARAM_QUALITY]: 5 } });
const etag = 'W/"bare"';

createServer((req, res) => {
  if (req.headers['if-none-match'] === etag) return res.writeHead(304, { ETag: etag }).end();
  const accepted = req.headers['accept-encoding'] ?? '';
  const [body, encoding] = accepted.includes('br')
    ? [br, 'br']
    : accepted.includes('gzip')
      ? [gzip, 'gzip']
      : [identity];
  const headers = {
    'Content-Type': 'application/json',
    'Content-Length': body.length,
    ETag: etag,
    Vary: 'Accept-Encoding',
  };
  if (encoding) headers['Content-Encoding'] = encoding;
  res.writeHead(200, headers).end(body);
}).listen(Number(PORT), '127.0.0.1');
