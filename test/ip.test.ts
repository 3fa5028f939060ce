/**
 * IP addresses are parsed as Node parses them.
 */
import { BlockList, isIP, SocketAddress } from 'node:net';
import { describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { formatIp, networkRule, parseIp } from '../src/callers/ip.ts';

const family = (text: string) => (text.includes(':') ? 'ipv6' : 'ipv4');

/** Node's canonical spelling, with IPv4-mapped IPv6 as IPv4. */
function canonical(text: string): string | undefined {
  if (isIP(text) === 0) return undefined;
  const { address } = new SocketAddress({ address: text, family: family(text) });
  return address.replace(/^::ffff:(?=.*\.)/, '');
}
const ours = (text: string) => {
  const ip = parseIp(text);
  return ip && formatIp(ip);
};

const hex = fc
  .array(fc.constantFrom(...'0123456789abcdefABCDEF'), { minLength: 0, maxLength: 5 })
  .map((all) => all.join(''));
const octets = fc.array(fc.oneof(fc.integer({ min: 0, max: 300 }).map(String), fc.constantFrom('', '00', '01', 'a')), {
  minLength: 3,
  maxLength: 5,
});
const nearlyIpv6 = fc
  .tuple(
    fc.array(fc.oneof({ weight: 4, arbitrary: hex }, { weight: 1, arbitrary: octets.map((all) => all.join('.')) }), {
      maxLength: 9,
    }),
    fc.boolean(),
  )
  .map(([groups, isOpen]) => `${isOpen ? '::' : ''}${groups.join(':')}`);
const any = fc.oneof(
  fc.ipV4(),
  fc.ipV6(),
  octets.map((all) => all.join('.')),
  nearlyIpv6,
  fc.string(),
);

describe('an address', () => {
  test('is parsed and formatted as Node does, for any text', () => {
    fc.assert(
      fc.property(any, (text) => {
        expect([text, ours(text)]).toEqual([text, text.includes('%') ? ours(text) : canonical(text)]);
      }),
      { numRuns: 3_000 },
    );
  });

  test.each([
    '::',
    '::1',
    '1::',
    '1:2:3:4:5:6:7::',
    '::2:3:4:5:6:7:8',
    '::ffff:1.2.3.4',
    '1:2:3:4:5:6:1.2.3.4',
    '0.0.0.0',
    '::1.2.3.4',
  ])('%s is an address', (text) => expect(ours(text)).toBe(canonical(text)));

  test.each([
    '',
    ':',
    ':::',
    '1:',
    ':1',
    '1::2::3',
    '1:2:3:4:5:6:7:8::',
    '::1:2:3:4:5:6:7:8',
    '1:2:3:4:5:6:7:1.2.3.4',
    '1.2.3',
    '1.2.3.4.',
    '01.2.3.4',
    '1.2.3.256',
    '12345::',
    '::1.2.3',
    '::g',
    '1:2:3:4:5:6:7:8:%eth0',
    '%eth0',
    '1::2:%eth0',
    '1.2.3.4%eth0',
    '１.2.3.4',
  ])('%j is not an address', (text) => {
    expect(parseIp(text)).toBeUndefined();
    expect(isIP(text)).toBe(0);
  });
});

test("a network contains the same addresses as Node's BlockList", () => {
  const ipv4 = fc.tuple(fc.ipV4(), fc.integer({ min: 1, max: 32 }));
  const ipv6 = fc.tuple(fc.ipV6(), fc.integer({ min: 1, max: 128 }));
  const range = fc.oneof(ipv4, ipv6).filter(([address]) => !address.includes('%'));
  /** Another address with a common prefix with the network. */
  const near = fc.tuple(range, fc.nat(40), fc.oneof(fc.ipV4(), fc.ipV6()));
  fc.assert(
    fc.property(near, ([[network, bits], kept, other]) => {
      const mixed = `${network.slice(0, kept)}${other.slice(kept)}`;
      for (const address of [network, other, ...(isIP(mixed) === 0 ? [] : [mixed])]) {
        const list = new BlockList();
        list.addSubnet(network, bits, family(network));
        const isIn = networkRule([`${network}/${bits}`])(parseIp(address) ?? []);
        if (family(network) === family(address))
          expect([address, isIn]).toEqual([address, list.check(address, family(address))]);
      }
    }),
    { numRuns: 2_000 },
  );
  expect(networkRule(['10.0.0.1', '::ffff:10.1.0.0/112'])(parseIp('10.1.2.3') ?? [])).toBe(true);
  expect(networkRule(['10.0.0.0/8'])(parseIp('::ffff:a01:203') ?? [])).toBe(true);
  expect(networkRule(['::/1'])(parseIp('10.0.0.1') ?? [])).toBe(false);
  expect(networkRule([])(parseIp('10.0.0.1') ?? [])).toBe(false);
});
