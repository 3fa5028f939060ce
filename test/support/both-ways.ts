/**
 * Every request both ways: to a Sendgate that answers hits ahead of Express, and to one that never does. What comes back
 * has to be the same, byte by byte.
 */
import { createServer, type IncomingMessage, request } from 'node:http';
import type { AddressInfo } from 'node:net';

interface Answer {
  readonly status: number | undefined;
  readonly fields: readonly string[];
  readonly body: Buffer;
}

export interface BothWays {
  readonly url: string;
  /** What was not the same, in words. */
  readonly differences: readonly string[];
  close(): Promise<void>;
}

/** A server that answers as the first one does, and compares. */
export async function bothWays(urls: readonly [string, string]): Promise<BothWays> {
  const differences: string[] = [];
  let asked = 0;
  let compared = 0;
  const server = createServer((req, res) => {
    const gone = new AbortController();
    res.once('close', () => gone.abort());
    asked++;
    const fields = [...req.rawHeaders];
    const answers = collect(req).then((sent) =>
      Promise.all(urls.map((url) => ask(url, req, fields, sent, gone.signal)) as [Promise<Answer>, Promise<Answer>]),
    );
    answers.then(
      ([first, second]) => {
        if (isComparable(first, second)) {
          compared++;
          const difference = differenceOf(first, second);
          if (difference !== undefined) differences.push(`${req.method} ${req.url}: ${difference}`);
        }
        res.sendDate = false;
        res.writeHead(first.status ?? 500, [...first.fields]).end(first.body);
      },
      () => res.destroy(),
    );
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    differences,
    close: () =>
      new Promise((resolve) => {
        if (asked > 2 && compared === 0) differences.push('nothing was compared');
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  };
}

async function collect(message: IncomingMessage): Promise<Buffer> {
  const parts: Buffer[] = [];
  for await (const part of message) parts.push(part as Buffer);
  return Buffer.concat(parts);
}

function ask(base: string, { method, url }: IncomingMessage, headers: string[], sent: Buffer, signal: AbortSignal) {
  return new Promise<Answer>((resolve, reject) => {
    const { hostname, port } = new URL(base);
    const options = { hostname, port, method, path: url, headers, setHost: false, signal, agent: false };
    request(options, (res) => {
      collect(res).then((body) => resolve({ status: res.statusCode, fields: res.rawHeaders, body }), reject);
    })
      .on('error', reject)
      .end(sent.length > 0 ? sent : undefined);
  });
}

/** Two answers to one question are given one after the other: a second may have passed. */
const seconds = /(?<=^Age: |; ttl=|; t=|^Retry-After: )-?\d+$|(?<=; ttl=)-?\d+/;

/**
 * A refresh or a page read ahead may have come to one of the two a moment before it came to the other, and sends that arrive
 * while the sandboxes run may be a millisecond apart in them.
 */
function isComparable(first: Answer, second: Answer): boolean {
  const [ours, theirs] = [first, second].map((answer) => fieldOf(answer, 'Cache-Status').replace(/-?\d+/, ''));
  const isOneContent = fieldOf(first, 'ETag') === fieldOf(second, 'ETag') || first.body.equals(second.body);
  return ours === theirs && isOneContent;
}

function fieldOf({ fields }: Answer, name: string): string {
  const at = fields.indexOf(name);
  return at === -1 ? '' : (fields[at + 1] ?? '');
}

function differenceOf(first: Answer, second: Answer): string | undefined {
  if (first.status !== second.status) return `${first.status}, ${second.status}`;
  const [ours, theirs] = [linesOf(first), linesOf(second)];
  const line = ours.find((text, at) => !isSame(text, theirs[at] ?? ''));
  if (line !== undefined || ours.length !== theirs.length) return `${ours.join(' | ')}\n  ${theirs.join(' | ')}`;
  return textOf(first) === textOf(second) ? undefined : 'the bodies';
}

function linesOf({ fields }: Answer): string[] {
  const lines = fields.flatMap((name, at) => (at % 2 === 0 ? [`${name}: ${fields[at + 1]}`] : []));
  return lines.filter((line) => !line.startsWith('Date: ')).map((line) => line.replace(ownId, '').replace(ownKey, ''));
}

/** Each request has an id of its own, of which an error tells. */
function textOf(answer: Answer): string {
  return answer.body.toString('latin1').replaceAll(fieldOf(answer, 'X-Request-Id') || '\0', '');
}

const ownId = /(?<=^X-Request-Id: )[0-9a-f]{32}$/;

/** Each process names clients in its own way. */
const ownKey = /(?<=; pk=:)[\w+/]+(?=:$)/;

function isSame(one: string, other: string): boolean {
  const [ours, theirs] = [one, other].map((line) => Number(seconds.exec(line)?.[0] ?? 0)) as [number, number];
  return one.replace(seconds, '') === other.replace(seconds, '') && Math.abs(ours - theirs) <= 1;
}
