/* What is in the answers. Made by `npm run generate`, out of the description of the API. */

export interface Campaign {
  /**
   * Digits with v2, a UUID with v3
   */
  id: string;
  name: string;
  /**
   * One of DRAFT, RUNNING, SENT, SCHEDULED, DELETED, ERROR; others only if Constant Contact adds one
   */
  status: string;
  /**
   * Last change, in UTC with milliseconds
   */
  modified_date: string;
  /**
   * When it last went out, in UTC with milliseconds. Empty before that and, in the directory, with v2; with v3 it can be empty for campaigns that are not among the 500 sent last
   */
  last_run_date: string;
}
export interface CampaignsPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Campaign[];
}
export interface Send {
  /**
   * What happened
   */
  activity_type: string;
  /**
   * The campaign, by the id in the request
   */
  campaign_id: string;
  /**
   * Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say
   */
  contact_id: string;
  /**
   * Empty if Constant Contact does not say, as for deleted contacts
   */
  email_address: string;
  /**
   * Instant in UTC, with milliseconds
   */
  send_date: string;
}
export interface SendsPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Send[];
}
export interface Open {
  /**
   * What happened
   */
  activity_type: string;
  /**
   * The campaign, by the id in the request
   */
  campaign_id: string;
  /**
   * Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say
   */
  contact_id: string;
  /**
   * Empty if Constant Contact does not say, as for deleted contacts
   */
  email_address: string;
  /**
   * Instant in UTC, with milliseconds
   */
  open_date: string;
}
export interface OpensPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Open[];
}
export interface Click {
  /**
   * What happened
   */
  activity_type: string;
  /**
   * The campaign, by the id in the request
   */
  campaign_id: string;
  /**
   * Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say
   */
  contact_id: string;
  /**
   * Empty if Constant Contact does not say, as for deleted contacts
   */
  email_address: string;
  /**
   * The link, as in `/campaigns/{id}/links`
   */
  link_id: string;
  /**
   * Instant in UTC, with milliseconds
   */
  click_date: string;
}
export interface ClicksPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Click[];
}
export interface Bounce {
  /**
   * What happened
   */
  activity_type: string;
  /**
   * The campaign, by the id in the request
   */
  campaign_id: string;
  /**
   * Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say
   */
  contact_id: string;
  /**
   * Empty if Constant Contact does not say, as for deleted contacts
   */
  email_address: string;
  /**
   * B non-existent address, D undeliverable, F mailbox full, S suspended, V vacation (was delivered), X other, Z blocked
   */
  bounce_code: string;
  /**
   * The code in words
   */
  bounce_description: string;
  /**
   * Empty with v3
   */
  bounce_message: string;
  /**
   * Instant in UTC, with milliseconds
   */
  bounce_date: string;
}
export interface BouncesPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Bounce[];
}
export interface Forward {
  /**
   * What happened
   */
  activity_type: string;
  /**
   * The campaign, by the id in the request
   */
  campaign_id: string;
  /**
   * Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say
   */
  contact_id: string;
  /**
   * Empty if Constant Contact does not say, as for deleted contacts
   */
  email_address: string;
  /**
   * Instant in UTC, with milliseconds
   */
  forward_date: string;
}
export interface ForwardsPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Forward[];
}
export interface Unsubscribe {
  /**
   * What happened
   */
  activity_type: string;
  /**
   * The campaign, by the id in the request
   */
  campaign_id: string;
  /**
   * Digits with v2, a UUID with v3. Like every field, empty if Constant Contact does not say
   */
  contact_id: string;
  /**
   * Empty if Constant Contact does not say, as for deleted contacts
   */
  email_address: string;
  /**
   * Instant in UTC, with milliseconds
   */
  unsubscribe_date: string;
  /**
   * Who did it: the contact or the owner of the account. Empty with v3
   */
  unsubscribe_source: string;
  /**
   * The contact's reason, if given
   */
  unsubscribe_reason: string;
}
export interface UnsubscribesPage {
  meta: {
    pagination: {
      /**
       * The next page; missing on the last page
       */
      next_link?: string;
    };
  };
  results: Unsubscribe[];
}
export interface Link {
  /**
   * Selects its clicks: `clicks?link_id=…`
   */
  link_id: string;
  url: string;
  /**
   * Clicks on the link; with v3, contacts that clicked it
   */
  clicks: number | null;
}
export interface CampaignDetails {
  /**
   * The id in the request
   */
  id: string;
  name: string;
  /**
   * One of DRAFT, RUNNING, SENT, SCHEDULED, DELETED, ERROR; others only if Constant Contact adds one
   */
  status: string;
  /**
   * Last change, in UTC with milliseconds
   */
  modified_date: string;
  /**
   * When it last went out, in UTC with milliseconds. Empty before that and, in the directory, with v2; with v3 it can be empty for campaigns that are not among the 500 sent last
   */
  last_run_date: string;
  subject: string;
  from_name: string;
  from_email: string;
  /**
   * Instant in UTC
   */
  created_date: string;
  /**
   * Its activities that have reports, with v3: the first send and each resend. Empty with v2
   */
  activities: {
    id: string;
    role: string;
  }[];
}
export interface Summary {
  /**
   * The id in the request
   */
  campaign_id: string;
  /**
   * Addresses it was sent to
   */
  sends: number | null;
  /**
   * Contacts that opened it
   */
  opens: number | null;
  /**
   * Contacts that clicked a link in it
   */
  clicks: number | null;
  /**
   * Forwards
   */
  forwards: number | null;
  /**
   * Unsubscribes
   */
  unsubscribes: number | null;
  /**
   * Bounces of every kind
   */
  bounces: number | null;
  /**
   * Reports of spam
   */
  spam_count: number | null;
  /**
   * Instant in UTC at which Constant Contact had these numbers
   */
  as_of: string;
}
export interface Links {
  results: Link[];
}
export interface Status {
  /**
   * State of Constant Contact, and what is left of the account's limits
   */
  upstream: {
    /**
     * Calls of this instance
     */
    callsThisSecond: number;
    /**
     * Calls currently allowed per second; while Redis is unavailable, this instance's fraction
     */
    perSecond: number;
    /**
     * Calls of all instances; while Redis is unavailable, those known before, and of this instance
     */
    callsToday: number;
    /**
     * Calls left; while Redis is unavailable, of this instance's fraction; 0 once Constant Contact says that the day is spent
     */
    leftToday: number;
    /**
     * When the daily count resets
     */
    dayEndsAt: string;
    /**
     * `open` while Constant Contact is considered down
     */
    circuit: 'open' | 'closed';
    credentials: 'refused' | 'ok';
    quota: 'exhausted' | 'ok';
    /**
     * `gone` once Constant Contact has withdrawn the version in use
     */
    api: 'gone' | 'ok';
    /**
     * What stops calls, the gravest first; `untested`: no call since start; `failing`: down, or no call was answered
     */
    state: 'ok' | 'untested' | 'failing' | 'credentials-refused' | 'quota-exhausted' | 'gone';
    /**
     * When `state` began; at the earliest, the start
     */
    since: string;
    /**
     * The day's calls in the last `seconds`
     */
    pace: {
      calls: number;
      /**
       * At most half an hour; only since start, and since 00:00 UTC
       */
      seconds: number;
    };
  };
  /**
   * The day's calls, by team
   */
  teams: {
    /**
     * `(account)`: calls of no team, such as probes
     */
    team: string;
    /**
     * Calls made since 00:00 UTC
     */
    calls: number;
    /**
     * The team's share: calls per day guaranteed to it
     */
    part: number;
    /**
     * Calls made beyond its share
     */
    borrowed: number;
    /**
     * Calls of its share that no other team can borrow now
     */
    kept: number;
    /**
     * Calls that it can make now
     */
    available: number;
  }[];
  /**
   * Calls queued for Constant Contact and how long they wait, by team and urgency
   */
  queues: {
    team: string;
    /**
     * `interactive`: a caller waits; `refresh`: stale pages and read-ahead; `bulk`: exports
     */
    urgency: 'interactive' | 'refresh' | 'bulk';
    /**
     * Calls in the queue
     */
    waiting: number;
    /**
     * Seconds, of the last 200 calls
     */
    waitP50: number;
    waitP95: number;
    /**
     * Calls queued since start, however briefly
     */
    calls: number;
  }[];
  /**
   * Pages served since start, by team and cache outcome
   */
  served: {
    [k: string]: {
      [k: string]: number;
    };
  };
  /**
   * Errors since start, by team: 429; all other 4xx; 5xx
   */
  errors: {
    [k: string]: {
      rateLimited: number;
      rejected: number;
      failed: number;
    };
  };
}
export interface Problem {
  /**
   * Path of a page that says what happened and what to do
   */
  type:
    | '/problems/invalid-request'
    | '/problems/malformed-request'
    | '/problems/invalid-cursor'
    | '/problems/unauthorized'
    | '/problems/origin-not-allowed'
    | '/problems/not-found'
    | '/problems/campaign-not-found'
    | '/problems/method-not-allowed'
    | '/problems/not-acceptable'
    | '/problems/request-timeout'
    | '/problems/expectation-failed'
    | '/problems/misdirected-request'
    | '/problems/rate-limited'
    | '/problems/headers-too-large'
    | '/problems/internal-error'
    | '/problems/upstream-credentials-refused'
    | '/problems/upstream-gone'
    | '/problems/upstream-failed'
    | '/problems/upstream-busy'
    | '/problems/upstream-quota-exhausted'
    | '/problems/upstream-timeout';
  title: string;
  status: number;
  detail: string;
  /**
   * The request id
   */
  instance: string;
  errors?: {
    parameter: string;
    /**
     * What is wrong with it
     */
    problem: string;
    /**
     * What is allowed
     */
    allowed: string;
  }[];
}
/** The row of each report. */
export interface Rows {
  sends: Send;
  opens: Open;
  clicks: Click;
  bounces: Bounce;
  forwards: Forward;
  unsubscribes: Unsubscribe;
}
/** All reports. */
export const reportNames: readonly (keyof Rows)[] = ['sends', 'opens', 'clicks', 'bounces', 'forwards', 'unsubscribes'];
