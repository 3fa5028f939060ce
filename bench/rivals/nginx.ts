/**
 * nginx in the usual setup: the key injected, pages cached, links rewritten, answers compressed.
 */
import { mkdirSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** Writes a configuration with one worker and returns its command line. */
export function nginxCommand(port: number, upstream: string, apiKey: string, accessToken: string): string[] {
  const folder = mkdtempSync(join(tmpdir(), 'sendgate-nginx-'));
  mkdirSync(join(folder, 'cache'));
  const file = join(folder, 'nginx.conf');
  writeFileSync(
    file,
    `master_process off;
worker_processes 1;
daemon off;
pid ${folder}/pid;
error_log ${folder}/error.log;
events { worker_connections 1024; }
http {
  access_log off;
  client_body_temp_path ${folder}/body; proxy_temp_path ${folder}/proxy; fastcgi_temp_path ${folder}/f;
  uwsgi_temp_path ${folder}/u; scgi_temp_path ${folder}/s;
  proxy_cache_path ${folder}/cache keys_zone=pages:10m max_size=256m;
  gzip on; gzip_types application/json; gzip_vary on; gzip_proxied any;
  keepalive_requests 1000000;
  server {
    listen 127.0.0.1:${port};
    location ~ ^/campaigns/(\\d+)/sends$ {
      proxy_pass ${upstream}/v2/emailmarketing/campaigns/$1/tracking/sends?api_key=${apiKey}&$args;
      proxy_set_header Authorization "Bearer ${accessToken}";
      proxy_set_header Accept-Encoding "";
      proxy_http_version 1.1; proxy_set_header Connection "";
      proxy_cache pages; proxy_cache_valid 200 1h; proxy_cache_key $uri$is_args$args;
      sub_filter_types application/json; sub_filter_once off;
      sub_filter "/v2/emailmarketing/campaigns/$1/tracking/sends" "/campaigns/$1/sends";
    }
  }
}
`,
  );
  return ['nginx', '-c', file, '-p', folder];
}
