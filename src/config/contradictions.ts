/**
 * Rules that need more than one setting.
 */
import { isLoopback } from './addresses.ts';
import type { Config } from './schema.ts';

/** Returns a message for each broken rule. */
export function contradictions(config: Config): readonly string[] {
  const rules = [serverRules, cacheRules, constantContactRules, teamRules, callerRules];
  return rules.flatMap((rule) => rule(config));
}

function serverRules({ server }: Config): readonly string[] {
  if (isLoopback(server.host) || server.allowedHosts.length > 0) return [];
  return [
    'server.allowedHosts: required when server.host is not loopback; allowed: the names that callers use, e.g. sendgate.example.com',
  ];
}

function cacheRules({ cache }: Config): readonly string[] {
  if (cache.minFreshSeconds <= cache.maxFreshSeconds) return [];
  return ['cache.minFreshSeconds: is over cache.maxFreshSeconds; allowed: at most that'];
}

function constantContactRules({ constantContact }: Config): readonly string[] {
  const found: string[] = [];
  if (constantContact.timeoutMs > constantContact.deadlineMs) {
    found.push('constantContact.timeoutMs: is over constantContact.deadlineMs; allowed: at most that');
  }
  if (constantContact.api === 'v3' && constantContact.oauth.tokenFile === '') {
    found.push(
      'constantContact.oauth.tokenFile (CONSTANT_CONTACT_TOKEN_FILE): is missing; allowed: a writable path that survives a restart',
    );
  }
  return found;
}

function teamRules({ server, teams }: Config): readonly string[] {
  return teams.flatMap(({ name, networks, header, tokensSha256 }, index) => {
    const at = `teams.${index}`;
    const found: string[] = [];
    if (teams.findIndex((other) => other.name === name) !== index) {
      found.push(`${at}.name: is used twice; allowed: a name that no other team has`);
    }
    if (networks.length + tokensSha256.length === 0 && !header) {
      found.push(`${at}: matches no caller; allowed: at least one of networks, header and tokensSha256`);
    }
    if (header && server.trustProxy.length === 0) {
      found.push(`${at}.header: is ignored without server.trustProxy; allowed: a header that a trusted proxy sets`);
    }
    return found;
  });
}

function callerRules({ callers, teams }: Config): readonly string[] {
  if (!callers.required || teams.length > 0) return [];
  return ['callers.required: refuses every caller while there are no teams; allowed: true together with teams'];
}
