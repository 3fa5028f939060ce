/**
 * Files that the configuration names, and that are none, have no end, or are never written: a start ends with a mistake, and soon.
 */
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { mkdirSync, mkdtempSync, truncateSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, describe, expect, test } from '@jest/globals';
import { fileReader } from '../src/config/file-text.ts';
import { loadConfig } from '../src/config/load.ts';
import { readTokens } from '../src/upstream/oauth/token-file.ts';

const folder = mkdtempSync(join(tmpdir(), 'sendgate-file-text-'));
const writers: ChildProcess[] = [];
afterEach(() => {
  for (const writer of writers.splice(0)) writer.kill();
});

let files = 0;
const newPath = () => join(folder, `${files++}.json`);

function fileWith(content: string | Buffer): string {
  const path = newPath();
  writeFileSync(path, content);
  return path;
}

function pipe(): string {
  const path = newPath();
  execFileSync('mkfifo', [path]);
  return path;
}

/** A pipe that a shell's command writes. */
function written(command: string): string {
  const path = pipe();
  writers.push(spawn('sh', ['-c', `exec > "$0"; ${command}`, path], { stdio: 'ignore' }));
  return path;
}

function sparse(bytes: number): string {
  const path = fileWith('');
  truncateSync(path, bytes);
  return path;
}

function directory(): string {
  const path = newPath();
  mkdirSync(path);
  return path;
}

const key = { CONSTANT_CONTACT_API_KEY: 'key-5ecret' };
const keyLine = `${Buffer.alloc(32, 7).toString('base64')}\n`;

describe('a file that is no text is a mistake', () => {
  test.each([
    ['a device without an end', () => '/dev/zero', 'is neither a file nor a pipe (ENXIO)'],
    ['a full device', () => '/dev/full', 'is neither a file nor a pipe (ENXIO)'],
    ['a pipe that nobody opens', pipe, 'is a pipe that was not written to its end within 10 s (ETIMEDOUT)'],
    [
      'a pipe that is not written',
      () => written('exec sleep 60'),
      'was not written to its end within 10 s (ETIMEDOUT)',
    ],
    ['a large file', () => sparse(3 * 1024 ** 3), 'is larger than 1 MiB (EFBIG)'],
    ['a directory', directory, 'is a directory (EISDIR)'],
    ['UTF-16', () => fileWith(Buffer.from('\ufeff{"server":{}}', 'utf16le')), 'is not UTF-8 (EILSEQ)'],
    ['Latin 1', () => fileWith(Buffer.from('{"server":{"host":"ü"}}', 'latin1')), 'is not UTF-8 (EILSEQ)'],
  ])('%s', (_, create, message) => {
    const path = create();
    const envs = [
      { ...key, SENDGATE_CONFIG: path },
      { CONSTANT_CONTACT_API_KEY_FILE: path },
      { ...key, SENDGATE_CACHE_ENCRYPTION_KEY_FILE: path },
      {
        ...{ CONSTANT_CONTACT_API: 'v3', CONSTANT_CONTACT_CLIENT_ID: 'a-client-id' },
        CONSTANT_CONTACT_TOKEN_FILE: path,
      },
    ];
    for (const env of envs) {
      expect(() => loadConfig(env, fileReader(50))).toThrow(message);
    }
    expect(readTokens(path, 'a-client-id')).toBeUndefined();
  });
});

describe('a pipe', () => {
  test('is read to its end, and once', () => {
    const path = written('echo "{"; sleep 0.1; echo \'"quota": { "perDay": 7 } }\'');
    const readFile = fileReader();
    for (let n = 0; n < 2; n++) {
      expect(loadConfig({ ...key, SENDGATE_CONFIG: path }, readFile).config.quota.perDay).toBe(7);
    }
  });

  test('may hold a secret, or keys', () => {
    const readFile = fileReader();
    const env = {
      CONSTANT_CONTACT_API_KEY_FILE: written('echo key-of-a-pipe'),
      SENDGATE_CACHE_ENCRYPTION_KEY_FILE: written(`echo ${keyLine}`),
    };
    const { secrets } = loadConfig(env, readFile);
    expect(secrets.apiKey?.value).toBe('key-of-a-pipe');
    expect(readFile(env.SENDGATE_CACHE_ENCRYPTION_KEY_FILE)).toBe(keyLine);
  });

  test('without an end is not read to its end', () => {
    const readFile = fileReader();
    expect(() => readFile(written('exec yes'))).toThrow('EFBIG');
  });

  test('is not waited for after the start', () => {
    const readFile = fileReader(0);
    expect(() => readFile(pipe())).toThrow('ETIMEDOUT');
  });
});
