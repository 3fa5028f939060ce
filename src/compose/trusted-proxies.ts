/**
 * Warnings of a trust in proxies that is too broad, or missing.
 */
import { broadRanges } from '../callers/address.ts';
import type { Config } from '../config/schema.ts';
import type { Emit } from '../events.ts';

const setting = 'server.trustProxy';

/** Every host inside a trusted range may send any address, and any team's header. */
export function warnOfBroadTrust({ server, teams }: Config, emit: Emit): void {
  const ranges = broadRanges(server.trustProxy);
  const claimable = teams.filter(({ networks, header }) => networks.length > 0 || header).map(({ name }) => name);
  if (ranges.length === 0 || claimable.length === 0) return;
  emit('trust.broad', { setting, ranges, teams: claimable });
}

/** Warns of a header from a peer that is not trusted, once for each header: every request may carry it. */
export function untrustedPeerWarning(emit: Emit): (peer: string, header: string) => void {
  const warned = new Set<string>();
  return (peer, header) => {
    if (warned.has(header)) return;
    warned.add(header);
    emit('proxy.untrusted', { header, peer, setting });
  };
}
