/**
 * Rules that need more than one setting.
 */
import { isLoopback, overlap } from './addresses.ts';
import { hostHint } from './bind-failure.ts';
import type { Config } from './schema.ts';

/** Names a setting with where it comes from: `server.port (PORT)`. */
type Where = (path: string) => string;

interface Rule {
  /** The settings that it compares. */
  readonly of: readonly string[];
  check(config: Config, add: (path: string, text: string) => void, where: Where): void;
}

/** A broken rule: the settings that it compares, the one that it is about, and the message. */
export interface Contradiction {
  readonly of: readonly string[];
  readonly about: string;
  readonly text: string;
}

/**
 * Returns the broken rules.
 *
 * @param isSound leaves out the rules of other settings: they would compare defaults
 */
export function contradictions(
  config: Config,
  where: Where = (path) => path,
  isSound: (path: string) => boolean = () => true,
): readonly Contradiction[] {
  const found: Contradiction[] = [];
  for (const { of, check } of rules) {
    const add = (about: string, text: string) => void found.push({ of, about, text: `${where(about)}: ${text}` });
    if (of.every(isSound)) check(config, add, where);
  }
  return found;
}

/** Returns these settings and all that rules compare with them, directly or through others. */
export function withCompared(paths: readonly string[]): readonly string[] {
  const rulesOfThem = rules.filter(({ of }) => of.some((path) => paths.includes(path)));
  const all = [...new Set([...paths, ...rulesOfThem.flatMap(({ of }) => of)])];
  return all.length === paths.length ? all : withCompared(all);
}

const rules: readonly Rule[] = [
  {
    of: ['server.host', 'server.allowedHosts'],
    check({ server }, add, where) {
      if (isLoopback(server.host) || server.allowedHosts.length > 0) return;
      const host = where('server.host');
      add(
        'server.allowedHosts',
        `is required, since ${host} is not loopback; allowed: the names that callers use, e.g. sendgate.example.com${hostHint(host)}`,
      );
    },
  },
  {
    of: ['server.host', 'server.port', 'management.host', 'management.port'],
    check({ server, management }, add) {
      if (server.port === 0 || server.port !== management.port || !overlap(server.host, management.host)) return;
      add('management.port', 'is the same as server.port; allowed: another port');
    },
  },
  {
    of: ['cache.minFreshSeconds', 'cache.maxFreshSeconds'],
    check({ cache }, add) {
      if (cache.minFreshSeconds <= cache.maxFreshSeconds) return;
      add('cache.minFreshSeconds', 'is over cache.maxFreshSeconds; allowed: at most that');
    },
  },
  {
    of: ['constantContact.timeoutMs', 'constantContact.deadlineMs'],
    check({ constantContact }, add) {
      if (constantContact.timeoutMs <= constantContact.deadlineMs) return;
      add('constantContact.timeoutMs', 'is over constantContact.deadlineMs; allowed: at most that');
    },
  },
  {
    of: ['constantContact.api', 'constantContact.oauth.tokenFile'],
    check({ constantContact }, add) {
      if (constantContact.api === 'v2' || constantContact.oauth.tokenFile !== '') return;
      add('constantContact.oauth.tokenFile', 'is missing; allowed: a writable path that survives a restart');
    },
  },
  {
    of: ['teams'],
    check({ teams }, add) {
      for (const [index, { name, networks, header, tokensSha256 }] of teams.entries()) {
        if (teams.findIndex((other) => other.name === name) !== index) {
          add(`teams.${index}.name`, 'is used twice; allowed: a name that no other team has');
        }
        if (networks.length + tokensSha256.length === 0 && !header) {
          add(`teams.${index}`, 'matches no caller; allowed: at least one of networks, header and tokensSha256');
        }
      }
    },
  },
  {
    of: ['teams', 'server.trustProxy'],
    check({ server, teams }, add) {
      if (server.trustProxy.length > 0) return;
      for (const [index, { header }] of teams.entries()) {
        const rule = 'is ignored without server.trustProxy; allowed: a header that a trusted proxy sets';
        if (header) add(`teams.${index}.header`, rule);
      }
    },
  },
  {
    of: ['callers.required', 'teams'],
    check({ callers, teams }, add) {
      if (!callers.required || teams.length > 0) return;
      add('callers.required', 'refuses every caller while there are no teams; allowed: true together with teams');
    },
  },
];
