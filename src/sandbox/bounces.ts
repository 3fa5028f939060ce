/**
 * Kinds of bounces, by code.
 */

/** v2's description; v3's name in statistics. The vendor documents the wording of `B`; the others follow its list of codes. */
export const bounceKinds = {
  B: { description: 'Non-existent address', stat: 'nonexistent_address' },
  D: { description: 'Undeliverable', stat: 'undeliverable' },
  F: { description: 'Mailbox full', stat: 'mailbox_full' },
  S: { description: 'Suspended', stat: 'suspended' },
  V: { description: 'Vacation', stat: 'vacation' },
  X: { description: 'Other', stat: 'other' },
  Z: { description: 'Blocked', stat: 'blocked' },
} as const;

export type BounceCode = keyof typeof bounceKinds;

export const isBounceCode = (text: string): text is BounceCode => Object.hasOwn(bounceKinds, text);

/** Repeats: the first seven bounces of a campaign have all codes. */
const cycle = [...'BDFSVXZBFBVBDFBX'] as BounceCode[];

export const bounceCodeOf = (number: number): BounceCode => cycle[number % cycle.length] ?? 'B';

/** The bounces with these codes among the first `total`, from the oldest. */
export function bouncesWith(codes: readonly string[], total: number) {
  const places = [...cycle.keys()].filter((place) => codes.includes(bounceCodeOf(place)));
  const rest = total % cycle.length;
  return {
    size: Math.floor(total / cycle.length) * places.length + places.filter((place) => place < rest).length,
    number: (n: number) =>
      Math.floor(n / places.length) * cycle.length + (places[places.length === 0 ? 0 : n % places.length] ?? 0),
  };
}
