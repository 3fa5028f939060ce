/**
 * The manifests for Kubernetes are valid by its schemas, and Sendgate starts with exactly their environment.
 */
import { readFileSync } from 'node:fs';
import { describe, expect, test } from '@jest/globals';
import { Deployment, StatefulSet } from 'kubernetes-models/apps/v1';
import { Ingress, NetworkPolicy } from 'kubernetes-models/networking.k8s.io/v1';
import { PodDisruptionBudget } from 'kubernetes-models/policy/v1';
import { ConfigMap, Service } from 'kubernetes-models/v1';
import { parseAllDocuments } from 'yaml';
import { loadDeployed, secretFiles, startDeployed, type Texts } from './support/deployed.ts';

const models = { ConfigMap, Deployment, Ingress, NetworkPolicy, PodDisruptionBudget, Service, StatefulSet };
type Kind = keyof typeof models;

interface Container {
  readonly env?: readonly { readonly name: string; readonly value: string }[];
  readonly ports?: readonly { readonly name: string; readonly containerPort: number }[];
  readonly volumeMounts: readonly { readonly name: string; readonly mountPath: string; readonly readOnly?: boolean }[];
}

interface Manifest {
  readonly kind: Kind;
  readonly metadata: { readonly name: string };
  readonly data: Texts;
  readonly spec: {
    readonly serviceName: string;
    readonly template: { readonly spec: PodSpec };
    readonly volumeClaimTemplates: readonly { readonly metadata: { readonly name: string } }[];
  };
}

interface PodSpec {
  readonly containers: readonly [Container];
  readonly volumes: readonly {
    readonly name: string;
    readonly configMap?: { readonly name: string };
    readonly secret?: object;
  }[];
  readonly terminationGracePeriodSeconds: number;
}

const read = (file: string) => readFileSync(new URL(`../deploy/kubernetes/${file}`, import.meta.url), 'utf8');
const manifests = (text: string): Manifest[] => parseAllDocuments(text).map((document) => document.toJS());

const sendgate = read('sendgate.yaml');
/** As its comments say for v3: the lines that are marked, in place of v2's. */
const sendgateV3 = sendgate
  .replaceAll(/^.*CONSTANT_CONTACT_(?:API_KEY|ACCESS_TOKEN)_FILE.*\n/gm, '')
  .replaceAll(/#v3(-secret)? /g, '');

const find = (all: readonly Manifest[], kind: Kind, name = 'sendgate') => {
  const found = all.find((one) => one.kind === kind && one.metadata.name === name);
  if (!found) throw new Error(`no ${kind} ${name}`);
  return found;
};

/** Records which keys are read, at any depth: a schema's validator reads no others. */
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

/** Returns a manifest's errors by its schema: wrong types, missing and unknown fields. */
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

describe.each([
  ['sendgate.yaml', sendgate],
  ['sendgate.yaml for v3', sendgateV3],
  ['redis.yaml', read('redis.yaml')],
])('deploy/kubernetes/%s', (_, text) => {
  const all = manifests(text);

  test('is valid, field by field', () => {
    expect(all.length).toBeGreaterThan(1);
    for (const manifest of all) expect(mistakes(manifest)).toEqual([]);
  });

  test('runs without privileges, within limits, and is probed', () => {
    const pod = all.find(({ kind }) => kind === 'Deployment' || kind === 'StatefulSet')?.spec.template.spec;
    expect(pod).toMatchObject({
      automountServiceAccountToken: false,
      securityContext: { runAsNonRoot: true, seccompProfile: { type: 'RuntimeDefault' } },
    });
    for (const container of pod?.containers ?? []) {
      expect(container).toMatchObject({
        image: expect.stringMatching(/:\d+\.\d+\.\d+/),
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

test('every field is checked against the schema', () => {
  const [first] = manifests(read('redis.yaml'));
  const container = first?.spec.template.spec.containers[0] ?? {};
  Object.assign(container, { livenesProbe: {} });
  expect(mistakes(first as Manifest)).toEqual(['.spec.template.spec.containers.0.livenesProbe']);
  Object.assign(container, { livenesProbe: undefined, ports: [{ containerPort: 'redis' }] });
  expect(mistakes(first as Manifest).join()).toMatch(/containerPort must be integer/);
});

/** What a pod's container has: its environment with the image's, and its mounted files. */
function containerOf(text: string): { env: Texts; files: Texts; writable: string[] } {
  const all = manifests(text);
  const { spec } = find(all, 'StatefulSet');
  const { containers, volumes } = spec.template.spec;
  const files: Record<string, string> = {};
  const writable: string[] = [];
  for (const { name, mountPath, readOnly } of containers[0].volumeMounts) {
    const { configMap, secret } = volumes.find((volume) => volume.name === name) ?? {};
    const mounted = configMap ? find(all, 'ConfigMap', configMap.name).data : secret ? secretFiles : {};
    for (const [file, content] of Object.entries(mounted)) files[`${mountPath}/${file}`] = content;
    if (!readOnly && spec.volumeClaimTemplates.some(({ metadata }) => metadata.name === name)) writable.push(mountPath);
  }
  const env = Object.fromEntries((containers[0].env ?? []).map(({ name, value }) => [name, value]));
  return { env: { HOST: '0.0.0.0', ...env }, files, writable };
}

describe("the pod's environment", () => {
  const { env, files, writable } = containerOf(sendgate);

  test('starts Sendgate, without trouble in its log', async () => {
    expect(await startDeployed(env, files)).toEqual([]);
  });

  test('is refused by these tests where it names a setting that does not exist', () => {
    expect(() => loadDeployed({ ...env, CONSTANT_CONTACT_TOKENFILE: '/x' }, files)).toThrow(
      'CONSTANT_CONTACT_TOKENFILE',
    );
    expect(() => loadDeployed({ ...env, SENDGATE_ELSEWHERE: '1' }, files)).toThrow('SENDGATE_ELSEWHERE');
  });

  test('has secrets as files, each of which the command at the top of the manifest creates', () => {
    const { config, secrets } = loadDeployed(env, files);
    expect(config.server.allowedHosts).toContain('sendgate');
    expect(Object.entries(secrets).map(([name, { file }]) => [name, file])).toEqual([
      ['apiKey', '/run/secrets/sendgate/api-key'],
      ['accessToken', '/run/secrets/sendgate/access-token'],
      ['redisUrl', '/run/secrets/sendgate/redis-url'],
    ]);
    for (const path of Object.values(env).filter((value) => value.startsWith('/run/secrets/'))) {
      expect(sendgate).toContain(`--from-literal=${path.split('/').at(-1)}=`);
    }
  });

  test("keeps storage and v3's tokens on the pod's claim", () => {
    const v3 = containerOf(sendgateV3);
    const { config, secrets } = loadDeployed(v3.env, v3.files);
    expect([config.constantContact.api, Object.keys(secrets)]).toEqual([
      'v3',
      ['clientId', 'clientSecret', 'redisUrl'],
    ]);
    expect(writable).toEqual(['/var/lib/sendgate']);
    for (const path of [env['SENDGATE_STORAGE_DIRECTORY'], config.constantContact.oauth.tokenFile]) {
      expect(path).toMatch(/^\/var\/lib\/sendgate\/\w/);
    }
  });

  test('leaves settings that a reload applies to the configuration file: variables take precedence', () => {
    expect(env['SENDGATE_CONFIG']).toBe('/etc/sendgate/sendgate.json');
    expect(Object.keys(JSON.parse(files['/etc/sendgate/sendgate.json'] ?? ''))).toEqual(['server', 'teams']);
    for (const variable of ['SENDGATE_TEAMS', 'SENDGATE_SERVER_ALLOWED_HOSTS']) expect(env[variable]).toBeUndefined();
    const { volumeMounts } = find(manifests(sendgate), 'StatefulSet').spec.template.spec.containers[0];
    // The kubelet never updates a file that is mounted with subPath.
    expect(volumeMounts.filter((mount) => 'subPath' in mount)).toEqual([]);
  });

  test('has the ports on which Sendgate listens, and time to drain', () => {
    const { server, management } = loadDeployed(env, files).config;
    const { containers, terminationGracePeriodSeconds } = find(manifests(sendgate), 'StatefulSet').spec.template.spec;
    expect(containers[0].ports).toEqual([
      { name: 'http', containerPort: server.port },
      { name: 'management', containerPort: management.port },
    ]);
    const preStop = 3_000;
    expect(containers[0]).toMatchObject({
      lifecycle: { preStop: { exec: { command: ['sleep', `${preStop / 1_000}`] } } },
    });
    expect(terminationGracePeriodSeconds * 1_000).toBeGreaterThanOrEqual(preStop + server.drainTimeoutMs + 2_000);
  });
});

describe('the manifest', () => {
  const all = manifests(sendgate);

  test('trusts single addresses, which are placeholders until they are set', () => {
    const { env, files } = containerOf(sendgate);
    expect(loadDeployed(env, files).config.server.trustProxy).toEqual(['192.0.2.1']);
    expect(sendgate).toMatch(/# Change 192[.]0[.]2[.]1, an example/);
  });

  test('has a comment above each line that a site has to change', () => {
    const lines = sendgate.split('\n');
    const isComment = (line: string) => /^ *#/.test(line);
    const changed = lines.flatMap((line, at) =>
      /^ *# Change /.test(line) ? [lines.slice(at).find((later) => !isComment(later))] : [],
    );
    expect(changed.map((line) => /[\w.]+/.exec(line ?? '')?.[0])).toEqual([
      ...['sendgate.json', 'sendgate.json', 'image', 'limits', 'storageClassName', 'ingressClassName', 'hosts'],
      ...['ports', 'ports'], // whom the network policy admits
    ]);
  });

  test('admits one set of pods per port', () => {
    const policy = find(all, 'NetworkPolicy') as unknown as {
      spec: { ingress: { ports: { port: string }[]; from?: object[] }[] };
    };
    expect(policy.spec.ingress.map(({ ports }) => ports.map(({ port }) => port))).toEqual([['http'], ['management']]);
    for (const { from } of policy.spec.ingress) {
      expect(from).toEqual([expect.objectContaining({ namespaceSelector: expect.anything() })]);
    }
    expect(policy.spec.ingress[0]?.from).toEqual([
      {
        namespaceSelector: { matchLabels: { 'kubernetes.io/metadata.name': 'ingress-nginx' } },
        podSelector: { matchLabels: { 'app.kubernetes.io/name': 'ingress-nginx' } },
      },
    ]);
  });

  test("leads the ingress to the callers' service, and keeps operators on one of their own", () => {
    const [host] = loadDeployed(containerOf(sendgate).env, containerOf(sendgate).files).config.server.allowedHosts;
    expect(find(all, 'Ingress').spec).toMatchObject({
      tls: [{ hosts: [host] }],
      rules: [{ host, http: { paths: [{ backend: { service: { name: 'sendgate', port: { name: 'http' } } } }] } }],
    });
    expect(find(all, 'Service').spec).toMatchObject({ ports: [{ name: 'http', targetPort: 'http' }] });
    const { serviceName } = find(all, 'StatefulSet').spec;
    expect(find(all, 'Service', serviceName).spec).toMatchObject({
      clusterIP: 'None',
      ports: [{ targetPort: 'management' }],
    });
  });
});
