/**
 * Warns when trust in proxies is too broad or missing.
 */
import { broadRanges } from '../callers/address.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';

const setting = 'server.trustProxy';

/** Warns when whole networks are trusted: any host in them can forge client addresses and team headers. */
export function warnOfBroadTrust({ server, teams }: Config, emit: Emit): void {
  const ranges = broadRanges(server.trustProxy);
  const claimable = teams.filter(({ networks, header }) => networks.length > 0 || header).map(({ name }) => name);
  if (ranges.length === 0 || claimable.length === 0) return;
  emit('trust.broad', { setting, ranges, teams: claimable });
}

/** Warns of a proxy header from an untrusted peer, once per header: every request may carry it. */
export function untrustedPeerWarning(emit: Emit): (peer: string, header: string) => void {
  const warned = new Set<string>();
  return (peer, header) => {
    if (warned.has(header)) return;
    warned.add(header);
    emit('proxy.untrusted', { header, peer, setting });
  };
}
