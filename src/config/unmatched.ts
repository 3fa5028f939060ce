/**
 * Ways to recognise a team that never match, since a team before has them too.
 */
import { isIP } from 'node:net';
import type { Config } from './schema.ts';

type Team = Config['teams'][number];

/** Further ones are not told: nobody reads them, and each is looked for in the file. */
const maxTold = 50;

/** Returns a warning for each of the first 50, which names the place and never the value. */
export function unmatchedWarnings({ teams }: Config, where: (path: string) => string): readonly string[] {
  const ways = teams.flatMap(waysOf);
  const lengths = [...new Set(ways.filter(({ isNetwork }) => isNetwork).map(({ key }) => key.length))];
  const firstTeam = new Map<string, number>();
  const found = ways.flatMap(({ index, place, key, isNetwork }) => {
    const around = isNetwork ? lengths.filter((length) => length < key.length) : [];
    const keys = [key, ...around.map((length) => key.slice(0, length))];
    const first = Math.min(...keys.map((one) => firstTeam.get(one) ?? index));
    if (!firstTeam.has(key)) firstTeam.set(key, index);
    return first === index ? [] : { path: `teams.${index}.${place}`, first };
  });
  return found
    .slice(0, maxTold)
    .map(({ path, first }) => `${where(path)}: never matches, since it is in teams.${first} too, which comes first`);
}

interface Way {
  readonly index: number;
  readonly place: string;
  /** Equal for the same way. A network's is its prefix in bits: those of networks around it are shorter. */
  readonly key: string;
  readonly isNetwork: boolean;
}

const waysOf = ({ networks, header, tokensSha256 }: Team, index: number): readonly Way[] => [
  ...networks.map((network, at) => ({ index, place: `networks.${at}`, key: prefixOf(network), isNetwork: true })),
  ...(header
    ? [{ index, place: 'header', key: `header ${header.name.toLowerCase()}: ${header.value}`, isNetwork: false }]
    : []),
  ...tokensSha256.map((digest, at) => ({
    ...{ index, place: `tokensSha256.${at}`, key: `token ${digest.toLowerCase()}`, isNetwork: false },
  })),
];

function prefixOf(network: string): string {
  const [address = '', length] = network.split('/');
  const family = isIP(address);
  const bits = family === 4 ? ipv4Bits(address) : ipv6Bits(address);
  return `ip${family} ${bits.slice(0, length === undefined ? undefined : Number(length))}`;
}

const ipv4Bits = (address: string) => address.split('.').map(bitsOf(10, 8)).join('');

function ipv6Bits(address: string): string {
  // A URL has the canonical form (RFC 5952), without a zone.
  const { hostname } = new URL(`http://[${address.split('%', 1)}]`);
  const [before = [], behind = []] = hostname
    .slice(1, -1)
    .split('::')
    .map((part) => part.split(':').filter(Boolean));
  const zeros = Array<string>(8 - before.length - behind.length).fill('0');
  return [...before, ...zeros, ...behind].map(bitsOf(16, 16)).join('');
}

const bitsOf = (radix: number, length: number) => (digits: string) =>
  Number.parseInt(digits, radix).toString(2).padStart(length, '0');
