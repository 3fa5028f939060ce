/**
 * Varnish in the usual setup: the key injected, pages cached, answers compressed. It does not rewrite links.
 */
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Writes a configuration and returns its command line. */
export function varnishCommand(port: number, upstreamPort: number, apiKey: string, accessToken: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-varnish-'));
  const file = join(folder, 'default.vcl');
  writeFileSync(
    file,
    `vcl 4.1;
backend upstream { .host = "127.0.0.1"; .port = "${upstreamPort}"; }
sub vcl_recv {
  set req.url = regsub(req.url, "^/campaigns/(\\d+)/sends$", "/v2/emailmarketing/campaigns/\\1/tracking/sends?api_key=${apiKey}");
  return (hash);
}
sub vcl_backend_fetch { set bereq.http.Authorization = "Bearer ${accessToken}"; }
sub vcl_backend_response { set beresp.ttl = 1h; set beresp.do_gzip = true; }
`,
  );
  const pools = ['-p', 'thread_pools=1', '-p', 'thread_pool_min=50'];
  return [
    'varnishd',
    '-F',
    '-j',
    'none',
    '-n',
    folder,
    '-a',
    `127.0.0.1:${port}`,
    '-f',
    file,
    '-s',
    'malloc,256m',
    ...pools,
  ];
}
