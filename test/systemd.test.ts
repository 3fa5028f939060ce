/**
 * The unit for systemd is valid, keeps the service in its bounds, and starts Sendgate.
 */
import { execFileSync, spawnSync } from 'node:child_process';
import { copyFileSync, mkdirSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { describe, expect, test } from '@jest/globals';
import { loadDeployed, secretFiles, startDeployed, type Texts } from './support/deployed.ts';

const source = fileURLToPath(new URL('../deploy/systemd/', import.meta.url));
const folder = mkdtempSync(join(tmpdir(), 'sendgate-unit-'));
const read = (file: string) => readFileSync(join(source, file), 'utf8');

/** Writes a unit into a folder that no other test uses. systemd insists on programs that exist. */
function writeUnit(text = read('sendgate.service')): string {
  const unit = join(mkdtempSync(join(folder, 'unit-')), 'sendgate.service');
  writeFileSync(unit, text.replace('/usr/bin/node', process.execPath));
  return unit;
}

/** What systemd finds wrong with the unit; it warns of unknown settings, and exits with 0. */
const complaints = (unit: string) =>
  spawnSync('systemd-analyze', ['verify', '--man=no', unit], { encoding: 'utf8' }).stderr;

describe('systemd', () => {
  test('finds nothing wrong with the unit, alone and with v3.conf', () => {
    const unit = writeUnit();
    expect(complaints(unit)).toBe('');
    mkdirSync(`${unit}.d`);
    copyFileSync(join(source, 'v3.conf'), join(`${unit}.d`, 'v3.conf'));
    expect(complaints(unit)).toBe('');
  });

  test('would report a setting that does not exist', () => {
    const unit = writeUnit(read('sendgate.service').replace('NoNewPrivileges', 'NoNewPrivilege'));
    expect(complaints(unit)).toMatch(/'NoNewPrivilege'/);
  });

  test('rates the exposure at 2 of 10 at most', () => {
    const args = ['security', '--offline=true', '--no-pager', '--threshold=20', writeUnit()];
    expect(() => execFileSync('systemd-analyze', args, { stdio: 'pipe' })).not.toThrow();
  });
});

/** Directives in their order, with systemd's specifiers replaced. */
const directives = (...files: string[]) =>
  files.flatMap((file) =>
    [...read(file).matchAll(/^(\w+)=(.*)$/gm)].map(([, name = '', value = '']) => ({
      name,
      value: value.replace('%d', '/run/credentials').replace('%S', '/var/lib'),
    })),
  );
const valuesOf = (name: string, ...files: string[]) =>
  directives(...files).flatMap((one) => (one.name === name ? [one.value] : []));

function environment(...files: string[]): Texts {
  const unset = valuesOf('UnsetEnvironment', ...files).flatMap((value) => value.split(' '));
  const pairs = valuesOf('Environment', ...files).map((value) => value.split('=') as [string, string]);
  return Object.fromEntries(pairs.filter(([name]) => !unset.includes(name)));
}

/** Credentials from a folder are named after it and their files. */
const mounted: Texts = {
  '/etc/sendgate/sendgate.json': '{}',
  '/var/lib/sendgate/tokens.json': '{}',
  ...Object.fromEntries(Object.entries(secretFiles).map(([name, text]) => [`/run/credentials/sendgate_${name}`, text])),
};

describe('the unit', () => {
  test('starts Sendgate with its environment, without trouble in its log', async () => {
    expect(await startDeployed(environment('sendgate.service'), mounted)).toEqual([]);
  });

  test('passes secrets as credentials, and keeps state in a folder that systemd makes', () => {
    expect(valuesOf('LoadCredential', 'sendgate.service')).toEqual(['sendgate:/etc/sendgate/credentials']);
    expect(Object.keys(loadDeployed(environment('sendgate.service'), mounted).secrets)).toEqual([
      'apiKey',
      'accessToken',
    ]);
    // Not in a cache directory: storage has the day's count, too, which `systemctl clean` would erase.
    expect(environment('sendgate.service')['SENDGATE_STORAGE_DIRECTORY']).toBe('/var/lib/sendgate/storage');
    expect(valuesOf('StateDirectory', 'sendgate.service')).toEqual(['sendgate']);
  });

  test("is what the doctor's command for systemd uses: user, folders, credentials and variables", () => {
    const [command = ''] =
      /systemd-run .*?--connect'/s.exec(readFileSync(join(source, '../../docs/operations.md'), 'utf8')) ?? [];
    for (const name of ['DynamicUser', 'StateDirectory', 'StateDirectoryMode', 'LoadCredential']) {
      for (const value of valuesOf(name, 'sendgate.service')) expect(command).toContain(` -p ${name}=${value} `);
    }
    for (const [name, value] of Object.entries(environment('sendgate.service'))) {
      expect(command).toContain(` ${name}=${value.replace('/run/credentials', '$CREDENTIALS_DIRECTORY')} `);
    }
  });

  test('has what v3 needs with v3.conf, but for the tokens', () => {
    const { config, secrets } = loadDeployed(environment('sendgate.service', 'v3.conf'), mounted);
    expect([config.constantContact.api, Object.keys(secrets)]).toEqual(['v3', ['clientId']]);
    const [, name = '', file = ''] = /^#Environment=(\w+)=%d(.*)$/m.exec(read('v3.conf')) ?? [];
    const withSecret = { ...environment('sendgate.service', 'v3.conf'), [name]: `/run/credentials${file}` };
    expect(Object.keys(loadDeployed(withSecret, mounted).secrets)).toEqual(['clientId', 'clientSecret']);
    expect(config.constantContact.oauth.tokenFile).toBe('/var/lib/sendgate/tokens.json');
  });

  test('leaves time to drain, reloads by SIGHUP, and does not restart what is configured wrongly', () => {
    const { server } = loadDeployed(environment('sendgate.service'), mounted).config;
    const [stop] = valuesOf('TimeoutStopSec', 'sendgate.service');
    expect(Number(stop) * 1_000).toBeGreaterThanOrEqual(server.drainTimeoutMs + 2_000);
    expect(valuesOf('ExecReload', 'sendgate.service')).toEqual(['/bin/kill -HUP $MAINPID']);
    expect(valuesOf('RestartPreventExitStatus', 'sendgate.service')).toEqual(['78 64']);
    const { scripts } = JSON.parse(readFileSync(join(source, '../../package.json'), 'utf8'));
    const [start] = valuesOf('ExecStart', 'sendgate.service');
    expect(`exec ${start?.replace('/usr/bin/', '').replace('/opt/sendgate/', '')}`).toBe(scripts.start);
  });
});
