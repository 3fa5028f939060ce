/**
 * `/_sandbox` controls the sandbox from another process. `GET` returns the counts; `POST` takes any of the orders below.
 */
import type { SandboxAnswer } from './answer.ts';
import type { Campaign, CampaignOptions } from './campaign.ts';
import type { ChangeableOptions, TrackingReport } from './campaign-options.ts';
import type { Fault } from './fault.ts';
import type { DeviceDecision } from './oauth/device-flow.ts';
import type { SandboxOAuth } from './oauth/oauth-server.ts';
import type { TokenShape } from './oauth/token-shape.ts';

/** The controllable part of a sandbox. */
interface Controlled {
  readonly oauth: SandboxOAuth | undefined;
  privileges: readonly string[];
  readonly callCount: number;
  readonly tokenCallCount: number;
  readonly limitAnswers: number;
  campaign(options: CampaignOptions): Campaign;
  add(id: string, report: TrackingReport, count: number): void;
  update(id: string, changes: Partial<ChangeableOptions>): void;
  remove(id: string): void;
  fault(fault: Fault): void;
  heal(): void;
  forget(): void;
}

interface Orders {
  /** `expire` ends all access tokens; `revoke` ends all tokens, as if the person had withdrawn the authorization. */
  readonly expire?: boolean;
  readonly revoke?: boolean;
  /** Decision of the person at the other device. */
  readonly device?: DeviceDecision;
  /** Shape of token responses from now on. */
  readonly tokens?: TokenShape;
  readonly privileges?: readonly string[];
  /** `heal` removes all faults; `forget` resets the counts. */
  readonly heal?: boolean;
  readonly forget?: boolean;
  readonly campaign?: CampaignOptions;
  /** Adds rows that arrive now. Default sends. */
  readonly add?: { readonly campaign: string; readonly report?: TrackingReport; readonly count: number };
  /** Changes a campaign. */
  readonly update?: Partial<ChangeableOptions> & { readonly campaign: string };
  /** Removes the campaign with this id. */
  readonly remove?: string;
  readonly fault?: Fault;
}

/** @param text body of the request, JSON or empty */
export function control(sandbox: Controlled, text: string): SandboxAnswer {
  if (text !== '') obey(sandbox, JSON.parse(text) as Orders);
  const { callCount, tokenCallCount, limitAnswers } = sandbox;
  return { status: 200, body: JSON.stringify({ callCount, tokenCallCount, limitAnswers }) };
}

function obey(sandbox: Controlled, orders: Orders): void {
  const { oauth } = sandbox;
  if (oauth) obeyOAuth(oauth, orders);
  if (orders.privileges) sandbox.privileges = orders.privileges;
  if (orders.heal) sandbox.heal();
  if (orders.forget) sandbox.forget();
  if (orders.fault) sandbox.fault(orders.fault);
  obeyCampaigns(sandbox, orders);
}

function obeyCampaigns(sandbox: Controlled, { campaign, add, update, remove }: Orders): void {
  if (campaign) sandbox.campaign(campaign);
  if (add) sandbox.add(add.campaign, add.report ?? 'sends', add.count);
  if (update) {
    const { campaign: id, ...changes } = update;
    sandbox.update(id, changes);
  }
  if (remove !== undefined) sandbox.remove(remove);
}

function obeyOAuth(oauth: SandboxOAuth, { expire, revoke, device, tokens }: Orders): void {
  if (expire) oauth.expire();
  if (revoke) oauth.revoke();
  if (device) oauth.decide(device);
  if (tokens) oauth.shape(tokens);
}
