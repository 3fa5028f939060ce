/**
 * Two campaigns side by side: what they are, their counts and rates, and the differences.
 */
import { SendgateError, type Summary } from '../../client/client.ts';
import { type Compared, comparison } from './compare-rows.ts';
import { part, within } from './page.ts';
import { Region, single } from './region.ts';
import { addressOf, addressOfCampaign, addressOfChoice, type CompareRoute } from './routes.ts';
import { connect } from './session.ts';
import { readable } from './words.ts';

class Side {
  readonly #place: HTMLElement;
  readonly #region: Region;
  readonly #link: HTMLAnchorElement;
  readonly #ordinal: string;
  id = '';
  known: Compared = { details: undefined, summary: undefined };

  /** @param ordinal `first` or `second`, as in the ids of the page */
  constructor(ordinal: 'first' | 'second') {
    this.#place = part(`compare-${ordinal}`);
    this.#region = new Region(this.#place);
    this.#link = part(`compare-${ordinal}-name`);
    this.#ordinal = ordinal;
  }

  get name(): string {
    return readable(this.known.details?.name ?? '') || `Campaign ${this.id}`;
  }

  load(id: string, isForced: boolean): void {
    if (id === this.id && !isForced) return;
    this.stop();
    this.id = id;
    this.#name();
    void this.#region
      .ask({
        what: `Loading the ${this.#ordinal} campaign`,
        load: (signal) => single(Promise.all([connect().campaign(id, { signal }), countsOf(id, signal)])),
        show: ([details, summary]) => {
          this.known = { details, summary };
          this.#name();
          show();
        },
        again: () => this.load(id, true),
      })
      .then((outcome) => {
        // The problem does not say which of the two it is about.
        if (outcome === 'failed') within(this.#place, '.hint').textContent = `${this.name}:`;
      });
  }

  /** Forgets the campaign. */
  stop(): void {
    this.#region.stop();
    this.id = '';
    this.known = { details: undefined, summary: undefined };
    within(this.#place, '.hint').textContent = '';
  }

  #name(): void {
    this.#link.textContent = this.name;
    this.#link.href = addressOfCampaign(this.id);
  }
}

const first = new Side('first');
const second = new Side('second');

export function showComparison(route: CompareRoute, isForced: boolean): void {
  first.load(route.id, isForced);
  second.load(route.with, isForced);
  part<HTMLAnchorElement>('compare-swap').href = addressOf({ view: 'compare', id: route.with, with: route.id });
  part<HTMLAnchorElement>('compare-choose').href = addressOfChoice(route.id);
  show();
}

export function leaveComparison(): void {
  first.stop();
  second.stop();
}

function show(): void {
  document.title = `${first.name} and ${second.name} · Sendgate`;
  // Without either campaign there are only dashes.
  part('compare-answer').hidden = !first.known.details && !second.known.details;
  part('compare-rows').replaceChildren(...comparison(first.known, second.known));
}

/** Returns undefined for a campaign that has not gone out: v3 has no counts of it. */
async function countsOf(id: string, signal: AbortSignal): Promise<Summary | undefined> {
  try {
    return await connect().summary(id, { signal });
  } catch (error) {
    if (error instanceof SendgateError && error.code === 'campaign-not-found') return undefined;
    throw error;
  }
}
