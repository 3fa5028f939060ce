/**
 * One request by hand: fetch sets Host and Origin itself, and joins what comes back.
 */
import { request } from 'node:http';

export interface Asked {
  readonly status: number;
  readonly headers: Readonly<Record<string, string | undefined>>;
  readonly body: string;
}

/** @param headers a list sends one field each */
export function ask(
  url: string,
  headers: Readonly<Record<string, string | readonly string[]>> = {},
  method = 'GET',
): Promise<Asked> {
  return new Promise((resolve, reject) => {
    const { hostname, port } = new URL(url);
    // Not the parsed path: what is odd in it has to arrive.
    const path = url.slice(url.indexOf('/', 'http://'.length));
    const options = {
      hostname,
      port,
      path,
      method,
      headers: headers as Record<string, string | string[]>,
      agent: false,
    };
    request(options, (res) => {
      const parts: Buffer[] = [];
      res.on('data', (part) => parts.push(part));
      res.on('end', () =>
        resolve({
          status: res.statusCode ?? 0,
          headers: res.headers as Record<string, string | undefined>,
          body: Buffer.concat(parts).toString(),
        }),
      );
      res.on('error', reject);
    })
      .on('error', reject)
      .end();
  });
}
