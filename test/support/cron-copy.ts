/**
 * The recipe that keeps a copy by cron, and rows to copy.
 */
import { execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmodSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import type { Send } from '../../src/model/sends.ts';
import { codeOf } from './recipes.ts';

export interface KnownRow {
  readonly contactId: string;
  readonly email: string;
  readonly at: string;
}

const instantMs = 4_000_000;
const originMs = Math.floor(Date.now() / instantMs) * instantMs - 700 * instantMs;

/** Rows of many days, newest first. Seven share an instant: the first page ends amid them. @param newest number of its instant */
export const rowsUpTo = (newest: number, count: number): KnownRow[] =>
  Array.from({ length: count }, (_, index) => {
    const instant = newest - Math.floor(index / 7);
    const contactId = `${instant}${index % 7}`;
    return { contactId, email: `${contactId}@example.com`, at: new Date(originMs + instant * instantMs).toISOString() };
  });

const text = (email: string, at: string) => `${at} ${email}`;
export const sorted = (rows: readonly KnownRow[]) => rows.map(({ email, at }) => text(email, at)).sort();

const heading = 'A copy that cron keeps up to date';
/** What commands do after their work, as `END` says: kill the run that they belong to, or lose a part as on a full disk. */
const after = {
  curl: 'test "$END" = download && kill -9 0',
  awk: 'test "$END" = full && truncate -s 100 "$(ls -d new/*.ndjson | head -n 1)"',
  mv: 'test "$END" = renames && test "$(ls *.ndjson | wc -l)" -eq 4 && kill -9 0',
};
const ends = {
  'killed during the download': 'download',
  'killed after four days': 'renames',
  'on a full disk, with an awk that does not say so': 'full',
  'while another has the folder': '',
} as const;

export class CronCopy {
  readonly #folder: string;
  readonly #copy: string;
  readonly #env: NodeJS.ProcessEnv;

  constructor(folder: string, env: NodeJS.ProcessEnv) {
    this.#folder = folder;
    this.#copy = join(folder, env.CAMPAIGN ?? '', 'sends');
    const bin = join(folder, 'bin');
    this.#env = { ...env, REPORT: 'sends', PATH: `${bin}:${env.PATH}` };
    const [script = ''] = codeOf(heading, 'sh');
    writeFileSync(join(folder, 'sync.sh'), script);
    mkdirSync(bin);
    for (const [command, end] of Object.entries(after)) {
      const path = execFileSync('sh', ['-c', `command -v ${command}`], { encoding: 'utf8' }).trim();
      writeFileSync(join(bin, command), `#!/bin/sh\n${path} "$@" || exit\n${end}\nexit 0\n`);
      chmodSync(join(bin, command), 0o755);
    }
  }

  /** Runs the command of the recipe's table, as cron does. */
  async update(how?: keyof typeof ends): Promise<void> {
    const [table = ''] = codeOf(heading, 'crontab');
    const command = /^(?:\S+ ){5}(.*)$/m.exec(table)?.[1] ?? '';
    const env = { ...this.#env, END: how === undefined ? '' : ends[how] };
    const before = how === 'while another has the folder' ? ['flock', this.#copy] : [];
    const [program = '', ...args] = [...before, 'sh', '-c', command];
    const run = spawn(program, args, { cwd: this.#folder, env, detached: true, stdio: 'inherit' });
    const [code] = await once(run, 'close');
    if ((code === 0) !== (how === undefined)) throw new Error(`the run ended with ${code}`);
  }

  /** Files of the copy. */
  days(): string[] {
    return readdirSync(this.#copy).filter((name) => name.endsWith('.ndjson'));
  }

  /** What else is in its folder. */
  leftovers(): string[] {
    return readdirSync(this.#copy).filter((name) => !name.endsWith('.ndjson'));
  }

  /** The copy, in the form and order of `sorted`. */
  rows(): string[] {
    const lines = this.days().flatMap((name) => readFileSync(join(this.#copy, name), 'utf8').trimEnd().split('\n'));
    const rows = lines.map((line): Send => JSON.parse(line));
    return rows.map(({ email_address, send_date }) => text(email_address, send_date)).sort();
  }
}
