/**
 * The campaigns of the demo: those of a garden centre over the last year and a half, in every state.
 */
import type { CampaignOptions, CampaignStatus } from './campaign-options.ts';
import { documentedCampaign } from './sandbox.ts';

const dayMs = 86_400_000;
const shop = 'https://www.greenleaf.example';

/** The latest campaign that was sent, an hour before the demo starts; its id follows that of the vendor's example. */
const latestId = 1100394165288;
/** The one with the name `Spring sale`. */
export const springSaleId = String(latestId + 1);

interface Plan {
  readonly name: string;
  readonly subject: string;
  /** Days until the demo starts; negative for what is to come. */
  readonly days: number;
  /** Default sent. */
  readonly status?: CampaignStatus;
  readonly sends?: number;
  /** Opens for a send, and clicks for an open, in the end. */
  readonly opens?: number;
  readonly clicks?: number;
  /** Pages of the shop that the message links to, the most clicked first. */
  readonly pages?: readonly string[];
}

const usualPages = ['offers', 'shop', 'opening-hours', 'newsletter/archive'];

/** In the order of their ids. */
const plans: readonly Plan[] = [
  { name: 'Weekend newsletter', subject: 'Frost is coming: what to bring inside', days: 1 / 24, sends: 12_345 },
  {
    ...{ name: 'Spring sale', subject: 'Spring sale: 20% off everything that grows', days: 23.3, sends: 18_240 },
    ...{
      opens: 0.58,
      clicks: 0.31,
      pages: ['spring-sale', 'spring-sale/roses', 'spring-sale/tools', 'shop', 'stores'],
    },
  },
  {
    ...{ name: 'Annual catalogue', subject: 'Your catalogue is here', days: 96.4, sends: 184_000 },
    ...{ opens: 100_000 / 184_000, clicks: 0.12, pages: ['catalogue', 'catalogue/seeds', 'catalogue/trees', 'shop'] },
  },
  {
    name: 'Welcome to the garden club',
    subject: 'Welcome! Here is your club card',
    days: 410.2,
    sends: 3_120,
    opens: 0.81,
  },
  { name: 'Rose week', subject: 'Forty roses, one week', days: 382.1, sends: 11_020, opens: 0.44 },
  { name: 'Early summer newsletter', subject: 'Watering, mulching, resting', days: 355.6, sends: 11_470 },
  {
    name: 'Garden party invitation',
    subject: 'You are invited: garden party on Saturday',
    days: 341.4,
    sends: 2_050,
    opens: 0.73,
  },
  { name: 'Summer sale', subject: 'Summer sale: up to half price', days: 318.2, sends: 15_880, clicks: 0.28 },
  { name: 'Holiday watering guide', subject: 'Who waters while you are away?', days: 297.3, sends: 11_930 },
  { name: 'Autumn bulbs', subject: 'Plant now, see it in spring', days: 262.7, sends: 12_210, opens: 0.47 },
  {
    name: 'Customer survey',
    subject: 'Three questions about our shop',
    days: 240.5,
    sends: 9_400,
    clicks: 0.35,
    pages: ['survey'],
  },
  { name: 'Winter sale', subject: 'Winter sale: pots, lamps, firewood', days: 209.1, sends: 16_450 },
  { name: 'Christmas trees', subject: 'Order your tree until Friday', days: 187.9, sends: 13_700, clicks: 0.24 },
  {
    name: 'Season greetings',
    subject: 'Thank you for a green year',
    days: 172.3,
    sends: 14_020,
    opens: 0.61,
    clicks: 0.03,
  },
  { name: 'Seed swap', subject: 'Bring seeds, take seeds', days: 131.8, sends: 1_480, opens: 0.69 },
  {
    name: 'Pruning course',
    subject: 'A few places left: pruning course',
    days: 118.2,
    sends: 640,
    opens: 0.77,
    pages: ['courses/pruning'],
  },
  { name: 'March newsletter', subject: 'The first warm days', days: 83.5, sends: 12_700 },
  { name: 'Opening hours', subject: 'Open on Sundays again', days: 61.4, sends: 12_760, opens: 0.38, clicks: 0.02 },
  { name: 'Tomato day', subject: 'Sixty kinds of tomatoes', days: 37.7, sends: 12_830, opens: 0.52 },
  { name: 'Bee-friendly gardens', subject: 'What bees like', days: 9.2, sends: 13_010 },
  { name: 'Flash offer: hydrangeas', subject: 'Today only: hydrangeas', days: 2.6, sends: 6_200, clicks: 0.4 },
  {
    name: 'Weekend newsletter, part two',
    subject: 'Frost is coming',
    days: 0,
    status: 'EXECUTING',
    sends: 2_300,
    opens: 0,
  },
  { name: 'Lawn care week', subject: 'A lawn to lie on', days: -2.2, status: 'SCHEDULED' },
  { name: 'Midsummer newsletter', subject: 'The longest day', days: -9.1, status: 'SCHEDULED' },
  { name: 'Harvest festival', subject: 'Pumpkins, cider and music', days: -45.4, status: 'SCHEDULED' },
  { name: 'Terrace furniture', subject: 'Sit down', days: 0.3, status: 'DRAFT' },
  { name: 'Loyalty programme', subject: 'Points for plants', days: 14.8, status: 'DRAFT' },
  { name: 'Summer sale, second attempt', subject: 'Summer sale', days: 316.9, status: 'REMOVED', sends: 820 },
  { name: 'Balcony boxes', subject: 'Green on two square metres', days: 5.5, status: 'ERROR' },
];

export function demoCampaigns(nowMs: number): readonly CampaignOptions[] {
  const first: CampaignOptions = {
    ...documentedCampaign,
    name: 'First newsletter',
    subject: 'Hello from the garden centre',
    ...sender,
    urls: linksTo(['shop']),
    reports: { opens: { size: 2 }, clicks: { size: 1 } },
  };
  return [first, ...plans.map((plan, n) => campaignOf(plan, String(latestId + n), nowMs))];
}

const linksTo = (pages: readonly string[]) => pages.map((page) => ({ url: `${shop}/${page}` }));
const sender = { fromName: 'Greenleaf Garden Centre', fromEmail: 'news@greenleaf.example' };

function campaignOf(plan: Plan, id: string, nowMs: number): CampaignOptions {
  const { name, subject, days, status = 'DONE', sends = 0, opens = 0.41, clicks = 0.17 } = plan;
  const newestMs = Math.floor(nowMs - days * dayMs);
  /** The part of what is to come that has come: nearly all after a week. */
  const share = 1 - Math.exp(-Math.max(0, days) / 1.5);
  const part = (rate: number) => Math.round(sends * share * rate);
  const size = part(opens);
  return {
    ...{ id, name, subject, ...sender, status, size: sends, newestMs },
    spacingMs: 100,
    // What is to come was written before.
    createdMs: Math.min(newestMs, nowMs) - 3 * dayMs,
    modifiedMs: days > 0 ? newestMs : nowMs - dayMs / 4,
    lastRefreshMs: nowMs - dayMs / 48,
    countedMs: nowMs - (nowMs % dayMs),
    urls: linksTo(plan.pages ?? usualPages),
    reports: {
      opens: { size, contacts: Math.round(size * 0.7) },
      clicks: { size: Math.round(size * clicks) },
      bounces: { size: Math.round(sends * 0.023) },
      forwards: { size: part(0.003) },
      unsubscribes: { size: part(0.006) },
    },
    spam: part(0.0004),
  };
}
