/**
 * `X-Forwarded-For` from gateways and attackers, and a missing or too broad server.trustProxy.
 */
import type { IncomingMessage } from 'node:http';
import { isIP } from 'node:net';
import { afterEach, describe, expect, test } from '@jest/globals';
import fc from 'fast-check';
import { Addresses, broadRanges } from '../../src/callers/address.ts';
import { formatIp } from '../../src/callers/ip.ts';
import { ask } from '../support/ask.ts';
import { type Environment, type Harness, start, targetOf, until } from '../support/harness.ts';

const path = targetOf('/campaigns/1/sends');
const teams = [
  { name: 'web', networks: ['10.1.0.0/16', '2001:db8::/32'] },
  { name: 'bi', header: { name: 'X-Team', value: 'bi' } },
];

function addressOf(forwarded: string | undefined, peer: string | undefined = '10.9.9.9', trust = ['10.9.0.0/16']) {
  const headers = forwarded === undefined ? {} : { 'x-forwarded-for': forwarded };
  const req = { socket: { remoteAddress: peer }, headers } as unknown as IncomingMessage;
  const ip = new Addresses(trust).of(req);
  return ip ? formatIp(ip) : 'unknown';
}

describe('the address of a client', () => {
  test.each([
    ['10.1.2.3:5678', '10.1.2.3'],
    ['[2001:db8::1]:4711', '2001:db8::1'],
    ['[2001:db8::1]', '2001:db8::1'],
    ['2001:DB8:0:0:0::1', '2001:db8::1'],
    ['::ffff:10.1.2.3', '10.1.2.3'],
    ['::FFFF:0A01:0203', '10.1.2.3'],
    ['[::ffff:10.1.2.3]:80', '10.1.2.3'],
    ['fe80::1%eth0', 'fe80::1'],
    ['  10.1.2.3\t', '10.1.2.3'],
    ['10.1.2.3, ,, ', '10.1.2.3'],
    ['1.1.1.1, 10.1.2.3', '10.1.2.3'],
    ['1.1.1.1, 10.1.2.3, 10.9.1.1:80, 10.9.1.2', '10.1.2.3'],
    ['10.9.1.1', '10.9.1.1'],
  ])('in %j is %s', (forwarded, address) => {
    expect(addressOf(forwarded)).toBe(address);
  });

  test.each([
    ['unknown', '10.9.9.9'],
    ['_hidden', '10.9.9.9'],
    ['', '10.9.9.9'],
    [',,,', '10.9.9.9'],
    ['10.1.2', '10.9.9.9'],
    ['10.1.2.3:port', '10.9.9.9'],
    ['10.1.2.3:123456', '10.9.9.9'],
    ['[10.1.2.3]:80', '10.9.9.9'],
    ['[2001:db8::1', '10.9.9.9'],
    ['10.1.2.3/32', '10.9.9.9'],
    ['10.1.2.3, garbage', '10.9.9.9'],
    ['10.1.2.3, garbage, 10.9.1.1', '10.9.1.1'],
    ['x'.repeat(15_000), '10.9.9.9'],
  ])('is the nearest trusted hop where the next one is no address: %.40j', (forwarded, address) => {
    expect(addressOf(forwarded)).toBe(address);
  });

  test('is searched in 16 hops, from the right', () => {
    const hops = (n: number) => `10.1.2.3${', 10.9.1.1'.repeat(n)}`;
    expect(addressOf(hops(15))).toBe('10.1.2.3');
    expect(addressOf(hops(16))).toBe('10.9.1.1');
    expect(addressOf(`10.1.2.3,${','.repeat(15)}`)).toBe('10.9.9.9');
  });

  test("is the peer's, in one spelling, where the peer is not trusted; unknown once it has disconnected", () => {
    expect(addressOf('10.1.2.3', '::ffff:192.0.2.1')).toBe('192.0.2.1');
    expect(addressOf('10.1.2.3', 'fe80::1%eth0')).toBe('fe80::1');
    expect(addressOf('10.1.2.3', '192.0.2.1', [])).toBe('192.0.2.1');
    expect(addressOf('10.1.2.3', '')).toBe('unknown');
    expect(addressOf('10.1.2.3', '::ffff:10.9.0.1')).toBe('10.1.2.3');
    expect(addressOf('10.1.2.3', 'fe80::1%eth0', ['linklocal'])).toBe('10.1.2.3');
  });

  test('is always an address, whatever is sent', () => {
    const piece = fc.oneof(
      fc.ipV4(),
      fc.ipV6(),
      fc.constantFrom('10.9.1.1', '', ' ', '[', ']', ':', '%', '::ffff:', '[::1]:1', 'fe80::1%', '::1%é'),
      fc.string(),
    );
    fc.assert(
      fc.property(fc.array(piece), fc.constantFrom(',', ', ', ',,', ':80,'), (pieces, separator) => {
        expect(isIP(addressOf(pieces.join(separator)))).not.toBe(0);
      }),
    );
  });
});

describe('over HTTP', () => {
  let it: Harness;
  async function up(env: Environment) {
    it = await start({ SENDGATE_TEAMS: JSON.stringify(teams), ...env });
    it.sandbox.campaign({ id: '1', size: 3, newestMs: Date.now() });
  }
  afterEach(() => it.close());
  const to = (headers: Record<string, string | string[]>) => ask(`${it.url}${path}`, headers);
  const teamOf = async (headers: Record<string, string | string[]>) =>
    /^"([^"]+)"/.exec((await to(headers)).headers['ratelimit'] ?? '')?.[1];
  const warnings = (event: string) =>
    it.lines.filter((line) => line.includes(`"event":"${event}"`)).map((line) => JSON.parse(line));

  test("a port does not change a client's team, and garbage makes no new client", async () => {
    await up({ SENDGATE_SERVER_TRUST_PROXY: 'loopback', SENDGATE_CALLERS_REQUESTS_PER_MINUTE: '5' });
    for (const [n, address] of ['10.1.2.3:5678', '10.1.2.3:5679', '::ffff:10.1.2.3', '10.1.2.3'].entries()) {
      const { headers } = await to({ 'x-forwarded-for': address });
      expect(headers['ratelimit']).toMatch(new RegExp(`^"web"; r=${4 - n};`));
    }
    expect(await teamOf({ 'x-forwarded-for': '[2001:db8::1]:4711' })).toBe('web');
    expect(await teamOf({ 'x-forwarded-for': ['10.2.0.1', '10.1.2.4'] })).toBe('web');
    expect(await teamOf({ 'x-forwarded-for': ['10.1.2.4', '10.2.0.1'] })).toBe('default');
    const statuses = [];
    for (let n = 0; n < 7; n++) statuses.push((await to({ 'x-forwarded-for': `garbage-${n}` })).status);
    expect(statuses).toEqual([200, 200, 200, 200, 200, 429, 429]);
  });

  test('a missing server.trustProxy is warned about once, with peer and setting; never without the header', async () => {
    await up({ SENDGATE_TEAMS: '[]' });
    await to({});
    for (let n = 0; n < 3; n++) await to({ 'x-forwarded-for': `10.1.2.${n}` });
    await until(() => warnings('proxy.untrusted').length > 0, 'a warning');
    expect(warnings('proxy.untrusted')).toEqual([
      expect.objectContaining({
        ...{ level: 'warn', peer: '127.0.0.1', header: 'x-forwarded-for', setting: 'server.trustProxy' },
      }),
    ]);
  });

  test("a team's header from an untrusted peer is warned about; from a trusted peer, it is not", async () => {
    await up({ SENDGATE_SERVER_TRUST_PROXY: '10.9.9.9' });
    for (let n = 0; n < 3; n++) expect(await teamOf({ 'x-team': 'bi' })).toBe('default');
    expect(warnings('proxy.untrusted')).toEqual([expect.objectContaining({ peer: '127.0.0.1', header: 'x-team' })]);
    await it.close();
    await up({ SENDGATE_SERVER_TRUST_PROXY: 'loopback' });
    expect(await teamOf({ 'x-team': 'bi', 'x-forwarded-for': '10.2.0.1' })).toBe('bi');
    expect(warnings('proxy.untrusted')).toEqual([]);
  });

  test('broad trust is warned about at the start where teams can be claimed through it', async () => {
    await up({ SENDGATE_SERVER_TRUST_PROXY: 'loopback,uniquelocal,10.0.0.1' });
    expect(warnings('trust.broad')).toEqual([
      expect.objectContaining({
        ...{ level: 'warn', setting: 'server.trustProxy', ranges: ['uniquelocal'], teams: ['web', 'bi'] },
      }),
    ]);
    await it.close();
    await up({ SENDGATE_SERVER_TRUST_PROXY: 'loopback,10.0.0.0/24' });
    expect(warnings('trust.broad')).toEqual([]);
    await it.close();
    const tokens = [{ name: 'jobs', tokensSha256: ['0'.repeat(64)] }];
    await up({ SENDGATE_SERVER_TRUST_PROXY: 'uniquelocal', SENDGATE_TEAMS: JSON.stringify(tokens) });
    expect(warnings('trust.broad')).toEqual([]);
  });
});

test('whole networks are broad; a few proxies are not', () => {
  const narrow = ['loopback', '10.0.0.1', '10.0.0.0/24', '2001:db8::1', '2001:db8::/64'];
  const broad = ['uniquelocal', 'linklocal', '10.0.0.0/8', '10.0.0.0/23', '2001:db8::/63'];
  expect(broadRanges([...narrow, ...broad])).toEqual(broad);
});
