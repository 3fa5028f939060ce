/**
 * Compose, Prometheus and Grafana: the files are valid, and use settings and metrics that exist.
 */
import { execFileSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { beforeAll, describe, expect, test } from '@jest/globals';
import { DCLinter } from 'dclint';
import { parse } from 'yaml';
import { networkRule, parseIp } from '../src/callers/ip.ts';
import { loadDeployed, secretFiles, startDeployed } from './support/deployed.ts';
import { startProcess } from './support/harness.ts';

/** Metrics of a running process. */
let metrics = '';
beforeAll(async () => {
  const process = await startProcess({ CONSTANT_CONTACT_API_KEY: 'an-api-key' });
  metrics = await (await fetch(`${process.managementUrl}/metrics`)).text();
  await process.stop();
});

const root = (path: string) => fileURLToPath(new URL(`../${path}`, import.meta.url));
const read = (path: string) => readFileSync(root(path), 'utf8');

describe('compose.yaml', () => {
  const load = (env: Record<string, string | number>) =>
    loadDeployed(Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)])));
  const compose = parse(read('compose.yaml'), { merge: true });

  test('is valid by the schema of Compose files, and names every image by its version', () => {
    const linter = new DCLinter({ rules: {}, quiet: true, debug: false, exclude: [] });
    expect(linter.lintFiles([root('compose.yaml')], false)).toEqual([expect.objectContaining({ errorCount: 0 })]);
    const images = Object.values<{ image?: string }>(compose.services).flatMap(({ image }) => image ?? []);
    expect(images.length).toBeGreaterThan(3);
    for (const image of images) expect(image).toMatch(/:v?\d+[.]\d+[.]\d+/);
  });

  test('checks the health of every service; those of Sendgate by the image', () => {
    for (const [name, service] of Object.entries<{ healthcheck?: object }>(compose.services)) {
      expect([name, 'healthcheck' in service]).toEqual([name, !name.startsWith('sendgate-')]);
    }
  });

  test.each(['sendgate-1', 'sendgate-2'])(
    'starts %s with its environment, and a volume for its storage',
    async (name) => {
      const { environment, volumes } = compose.services[name];
      expect(volumes).toEqual([`${name}:/var/lib/sendgate`]);
      expect(compose.volumes).toHaveProperty(name);
      expect(environment.SENDGATE_STORAGE_DIRECTORY).toMatch(/^\/var\/lib\/sendgate\/\w/);
      const env = Object.fromEntries(Object.entries(environment).map(([key, value]) => [key, String(value)]));
      expect(await startDeployed({ ...env, REDIS_URL: secretFiles['redis-url'] ?? '' })).toEqual([]);
    },
  );

  test('trusts only the balancer, at an address that no other container can have', () => {
    const address: string = compose.services.balancer.networks.default.ipv4_address;
    const [{ subnet, ip_range: others }] = compose.networks.default.ipam.config;
    const isIn = (network: string) => networkRule([network])(parseIp(address) ?? []);
    expect([isIn(subnet), isIn(others)]).toEqual([true, false]);
    for (const name of ['sendgate-1', 'sendgate-2']) {
      const { environment, network_mode, ports } = compose.services[name];
      expect(load(environment).config.server.trustProxy).toEqual([address]);
      expect([network_mode, ports]).toEqual(['service:sandbox', undefined]);
    }
    expect(compose.services.sandbox.ports).toBeUndefined();
    expect(compose.configs.balancer.content).toContain('proxy_set_header X-Forwarded-For $$remote_addr;');
  });

  test('runs two instances with one Redis, a balancer and a sandbox', () => {
    const always = Object.entries<{ profiles?: string[] }>(compose.services).filter(([, { profiles }]) => !profiles);
    expect(always.map(([name]) => name)).toEqual(['sendgate-1', 'sendgate-2', 'balancer', 'redis', 'sandbox']);
    const balancer: string = compose.configs.balancer.content;
    for (const name of ['sendgate-1', 'sendgate-2']) {
      const { environment } = compose.services[name];
      const { config, secrets } = load(environment);
      expect(secrets.redisUrl?.value).toBe('redis://redis:6379');
      expect(balancer).toContain(`server sandbox:${config.server.port};`);
      expect(config.constantContact.baseUrl).toBe(`http://127.0.0.1:${compose.services.sandbox.environment.PORT}`);
      expect(compose.services[name]).toMatchObject({ read_only: true, cap_drop: ['ALL'] });
    }
    expect(compose.services.balancer.ports).toEqual(['127.0.0.1:8080:80']);
  });

  test('runs Prometheus and Grafana with the profile `watch`', () => {
    const { prometheus, grafana } = compose.services;
    expect([prometheus.profiles, grafana.profiles]).toEqual([['watch'], ['watch']]);
    for (const volume of [...prometheus.volumes, ...grafana.volumes]) {
      expect(existsSync(fileURLToPath(new URL(`../${volume.split(':')[0]}`, import.meta.url)))).toBe(true);
    }
    const { scrape_configs } = parse(read('deploy/prometheus/prometheus.yml'));
    const { targets } = scrape_configs[0].static_configs[0];
    const ports = ['sendgate-1', 'sendgate-2'].map((name) => load(compose.services[name].environment).config);
    expect(targets).toEqual(ports.map(({ management }) => `sandbox:${management.port}`));
    for (const { management, server } of ports) {
      expect(management.host).toBe('0.0.0.0');
      expect(server.allowedHosts).toContain('sandbox');
    }
  });
});

describe("docs/operations.md's command for Docker", () => {
  const command = /^docker run -d (?:.*\\\n)*.*$/m.exec(read('docs/operations.md'))?.[0] ?? '';
  const valuesOf = (flag: string) =>
    [...command.matchAll(new RegExp(` ${flag} (\\S+)`, 'g'))].map(([, value = '']) => value);

  test('names settings that exist, mounts what they name, and publishes operators on loopback only', () => {
    const env = Object.fromEntries(valuesOf('-e').map((pair) => pair.split('=') as [string, string]));
    const files = Object.fromEntries(Object.entries(secretFiles).map(([name, text]) => [`/run/secrets/${name}`, text]));
    const { server, management } = loadDeployed({ HOST: '0.0.0.0', ...env }, files).config;
    expect(management.host).toBe('0.0.0.0');
    expect(valuesOf('-p')).toEqual([`8080:${server.port}`, `127.0.0.1:8081:${management.port}`]);
    const mounts = valuesOf('-v').map((volume) => volume.split(':')[1] ?? '');
    const paths = Object.values(env).filter((value) => value.startsWith('/'));
    expect(paths).toHaveLength(3);
    for (const path of paths) expect(mounts.some((mount) => path.startsWith(`${mount}/`))).toBe(true);
  });
});

test("V8's flag stands on the command line of the image and of npm start: Node warns against setting one later", () => {
  const flag = '--heap-growing-percent=50';
  expect(read('Dockerfile')).toContain(`CMD ["node", "${flag}", "dist/main.js"]`);
  expect(JSON.parse(read('package.json')).scripts.start).toBe(`exec node ${flag} dist/main.js`);
  const sources = readdirSync(new URL('../src', import.meta.url), { recursive: true, encoding: 'utf8' });
  const setting = sources.filter((name) => name.endsWith('.ts') && read(`src/${name}`).includes('setFlagsFromString'));
  expect(setting).toEqual([]);
});

test.each(['start', 'doctor', 'authorize', 'token'])(
  'npm run %s leaves dist as it is: a live Sendgate runs from it',
  (name) => {
    expect(JSON.parse(read('package.json')).scripts[name]).toMatch(/^(exec )?node (--\S+ )*dist\/\w+\.js( --\S+)*$/);
  },
);

describe('Prometheus and Grafana', () => {
  const folder = fileURLToPath(new URL('../deploy/prometheus/', import.meta.url));
  const promtool = (...args: string[]) => execFileSync('promtool', args, { cwd: folder, encoding: 'utf8' });

  interface Panel {
    readonly title: string;
    readonly targets: readonly { readonly expr: string }[];
  }
  interface Rule {
    readonly alert?: string;
    readonly record?: string;
    readonly expr: string;
    readonly annotations?: { readonly runbook?: string };
  }
  const { panels } = JSON.parse(read('deploy/grafana/sendgate.json')) as { panels: readonly Panel[] };
  const { groups } = parse(read('deploy/prometheus/alerts.yml')) as {
    groups: { rules: Rule[] }[];
  };
  const shown = panels.flatMap(({ title, targets }) => targets.map(({ expr }) => [title, expr] as const));
  const rules = groups.flatMap((group) => group.rules);
  const told = rules.map(({ alert, record = '', expr }) => [alert ?? record, expr] as const);

  /** Checks the syntax of queries. */
  function expectPromQl(queries: readonly string[]): void {
    const rules = queries.map((expr, index) => ({ record: `query:${index}`, expr }));
    const temporary = mkdtempSync(join(tmpdir(), 'sendgate-queries-'));
    const file = join(temporary, 'rules.yml');
    writeFileSync(file, JSON.stringify({ groups: [{ name: 'queries', rules }] }));
    expect(promtool('check', 'rules', file)).toContain(`${rules.length} rules found`);
  }

  test('alerts are valid, and fire when they should', () => {
    expect(promtool('check', 'rules', 'alerts.yml')).toContain(`${told.length} rules found`);
    expect(promtool('test', 'rules', 'alerts.test.yml')).toContain('SUCCESS');
    expect(promtool('check', 'config', 'prometheus.yml')).toContain('SUCCESS');
  });

  test("the dashboard's queries are valid PromQL", () => {
    expectPromQl(shown.map(([, expr]) => expr.replaceAll('$__rate_interval', '1m')));
  });

  describe('docs/runbook.md', () => {
    const runbook = read('docs/runbook.md');
    const alerts = rules.flatMap(({ alert, annotations }) => (alert === undefined ? [] : [{ alert, annotations }]));
    const section = (heading: string) => runbook.split(/^##+ /m).find((text) => text.startsWith(`${heading}\n`)) ?? '';

    test.each(alerts)('has an entry for $alert, to which its annotation links', ({ alert, annotations }) => {
      expect(annotations?.runbook).toBe(`docs/runbook.md#${alert.toLowerCase()}`);
      const steps = [...section(alert).matchAll(/^- \*\*(.+?)\*\* \S/gm)].map(([, step]) => step);
      expect(steps).toEqual(['What happened.', 'Look at.', 'Do.']);
    });

    test('has no entry for an alert that does not exist', () => {
      const entries = [...runbook.matchAll(/^### (Sendgate\w+)$/gm)].map(([, name]) => name);
      expect(entries.sort()).toEqual(alerts.map(({ alert }) => alert).sort());
    });

    test('has objectives that are recorded, and queries that are valid and use what is recorded or measured', () => {
      const recorded = rules.flatMap(({ record }) => record ?? []);
      const objectives = section('Objectives');
      expect([...objectives.matchAll(/`(sendgate:[\w:]+)` \|$/gm)].map(([, name]) => name)).toEqual(recorded);
      const queries = [...runbook.matchAll(/```promql\n([^`]+)```/g)].map(([, query = '']) => query);
      expect(queries.length).toBeGreaterThanOrEqual(recorded.length);
      expectPromQl(queries);
      for (const [name] of queries.join().matchAll(/sendgate[:_][\w:]+/g)) {
        const isMetric = metrics.includes(`# TYPE ${name} `);
        expect([name, recorded.includes(name) || isMetric]).toEqual([name, true]);
      }
    });
  });

  test.each([...shown, ...told])('%s uses metrics that exist', async (_, expr) => {
    const names = new Set(expr.match(/\b(?:sendgate|process|nodejs)_\w+/g) ?? []);
    for (const name of names)
      expect(metrics).toMatch(new RegExp(`^# TYPE ${name.replace(/_(bucket|count|sum)$/, '')} `, 'm'));
    expect(names.size + Number(expr.startsWith('up'))).toBeGreaterThan(0);
  });
});
