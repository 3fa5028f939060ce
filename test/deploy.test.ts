/**
 * The files with which Sendgate is run: valid by their schema, and with settings that there are.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Deployment } from 'kubernetes-models/apps/v1';
import { NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Service } from 'kubernetes-models/v1';
import { parse, parseAllDocuments } from 'yaml';
import { type Loaded, loadConfig } from '../src/config/load.ts';

const read = (path: string) => readFileSync(new URL(`../${path}`, import.meta.url), 'utf8');

const models = { ConfigMap, Deployment, NetworkPolicy, PodDisruptionBudget, Service };

interface Manifest {
  readonly kind: keyof typeof models;
  readonly data?: Record<string, string>;
  readonly spec: { readonly template: { readonly spec: PodSpec } };
}

interface PodSpec {
  readonly securityContext: object;
  readonly containers: readonly Record<string, object>[];
}

const manifests = (file: string): Manifest[] =>
  parseAllDocuments(read(`deploy/kubernetes/${file}`)).map((document) => document.toJS());

/** An object that notes which of its keys were looked at, at any depth: a schema's validator does not look at others. */
function watched(value: object, seen: Set<string>, path = ''): object {
  return new Proxy(value, {
    get(target, key) {
      const child = Reflect.get(target, key);
      const at = `${path}.${String(key)}`;
      seen.add(at);
      return typeof child === 'object' && child !== null ? watched(child, seen, at) : child;
    },
  });
}

function paths(value: object, path = ''): string[] {
  return Object.entries(value).flatMap(([key, child]) => [
    `${path}.${key}`,
    ...(typeof child === 'object' && child !== null ? paths(child, `${path}.${key}`) : []),
  ]);
}

/** What is wrong with a manifest by the schema of its kind: wrong types, missing fields, and fields that there are not. */
function mistakes(manifest: Manifest): string[] {
  const seen = new Set<string>();
  const model = Object.assign(Object.create(models[manifest.kind].prototype), manifest);
  try {
    (watched(model, seen) as { validate(): void }).validate();
  } catch (error) {
    return [String(error)];
  }
  return paths(manifest).filter((path) => !seen.has(path));
}

describe.each(['sendgate.yaml', 'redis.yaml'])('deploy/kubernetes/%s', (file) => {
  test('is valid, field by field', () => {
    const all = manifests(file);
    expect(all.length).toBeGreaterThan(1);
    for (const manifest of all) expect(mistakes(manifest)).toEqual([]);
  });

  test('runs without privileges, within limits, and is probed', () => {
    const pod = manifests(file).find(({ kind }) => kind === 'Deployment')?.spec.template.spec;
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    for (const container of pod?.containers ?? []) {
      expect(container).toMatchObject({
        readinessProbe: expect.anything(),
        livenessProbe: expect.anything(),
        resources: { limits: { memory: expect.anything(), cpu: expect.anything() }, requests: expect.anything() },
        securityContext: {
          allowPrivilegeEscalation: false,
          readOnlyRootFilesystem: true,
          capabilities: { drop: ['ALL'] },
        },
      });
    }
  });
});

test('the schema is asked about every field', () => {
  const [first] = manifests('redis.yaml');
  const container = first?.spec.template.spec.containers[0] ?? {};
  container['livenesProbe'] = {};
  expect(mistakes(first as Manifest)).toEqual(['.spec.template.spec.containers.0.livenesProbe']);
  delete container['livenesProbe'];
  Object.assign(container, { ports: [{ containerPort: 'redis' }] });
  expect(mistakes(first as Manifest).join()).toMatch(/containerPort must be integer/);
});

/** The configuration that these variables make. */
function load(env: Record<string, string | number>): Loaded {
  const files: Record<string, string> = {
    '/run/secrets/sendgate/api-key': 'an-api-key',
    '/run/secrets/sendgate/access-token': 'an-access-token',
    '/run/secrets/sendgate/redis-url': 'redis://redis:6379',
    '/run/secrets/sendgate/encryption-keys': Buffer.alloc(32).toString('base64'),
  };
  const text = Object.fromEntries(Object.entries(env).map(([name, value]) => [name, String(value)]));
  return loadConfig({ HOST: '0.0.0.0', ...text }, (path) => files[path] ?? '');
}

test("Kubernetes' settings are settings", () => {
  const { data = {} } = manifests('sendgate.yaml').find(({ kind }) => kind === 'ConfigMap') ?? {};
  const { config, secrets } = load(data);
  expect(config.server.allowedHosts).toContain('sendgate');
  expect(Object.keys(secrets).sort()).toEqual(['accessToken', 'apiKey', 'redisUrl']);
});

describe('compose.yaml', () => {
  const compose = parse(read('compose.yaml'), { merge: true });

  test('runs two instances with one Redis, a balancer and a sandbox', () => {
    expect(Object.keys(compose.services)).toEqual(['sendgate-1', 'sendgate-2', 'balancer', 'redis', 'sandbox']);
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
});
