/**
 * The links of a campaign, and which click was on which: the clicks on each are spread evenly over all clicks.
 */
import { createHash } from 'node:crypto';
import { scatter } from './scatter.ts';
import { Spread } from './spread.ts';

export interface LinkOptions {
  readonly url: string;
  /** Clicks on it at the start. Default: half of what the links before it leave; the last link takes the rest. */
  readonly clicks?: number;
}

export const defaultLinks = (id: string): LinkOptions[] =>
  ['offer', 'catalogue', 'stores', 'contact'].map((page) => ({
    url: `https://www.example.com/${page}?campaign=${id}`,
  }));

export class Links {
  readonly urls: readonly string[];
  /** The clicks on each link, among those that the links before it leave. */
  readonly #spreads: readonly Spread[];

  constructor(links: readonly LinkOptions[], total: number) {
    this.urls = links.map(({ url }) => url);
    let left = total;
    this.#spreads = links.map(({ clicks }, n) => {
      const isLast = n === links.length - 1;
      const spread = new Spread(isLast ? left : Math.min(left, clicks ?? Math.ceil(left / 2)), left);
      left -= spread.count;
      return spread;
    });
  }

  /** Returns the link of a click, from 0. Later clicks are scattered. */
  linkOf(number: number): number {
    if (number >= (this.#spreads[0]?.total ?? 0)) return scatter(number) % this.urls.length;
    let place = number;
    return this.#spreads.findIndex((spread) => {
      if (spread.has(place)) return true;
      place -= spread.before(place);
      return false;
    });
  }

  /** The clicks on a link at the start, from the oldest. */
  clicksOn(link: number) {
    return {
      size: this.#spreads[link]?.count ?? 0,
      number: (n: number) =>
        this.#spreads
          .slice(0, link)
          .reduceRight((place, spread) => spread.restPlace(place), this.#spreads[link]?.place(n) ?? 0),
    };
  }
}

/** v2's id of a link. */
export const linkIdOf = (link: number) => String(link + 1);

/** v3's id of a link: that it equals v2's is not proven, so it does not. */
export function urlIdOf(campaign: string, link: number): string {
  const hash = createHash('sha256').update(`link ${campaign} ${link}`).digest().readUInt32BE();
  return `110${String(hash).padStart(10, '0')}`;
}
