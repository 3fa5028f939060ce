/* What is in the answers. Made by `npm run generate`, out of the description of the API. */

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
export interface Summary {
  /**
   * The id that was asked for
   */
  campaign_id: string;
  /**
   * Sends, as Constant Contact counts them; null where it has no number yet, as before a campaign has gone out
   */
  sends: number | null;
}
export interface Status {
  /**
   * Constant Contact, and what is left of the account's limits
   */
  upstream: {
    callsThisSecond: number;
    /**
     * Calls that may be made in a second, at present
     */
    perSecond: number;
    callsToday: number;
    leftToday: number;
    /**
     * When the count of the day begins anew
     */
    dayEndsAt: string;
    /**
     * `open` while Constant Contact is taken to be down
     */
    circuit: 'open' | 'closed';
    credentials: 'refused' | 'ok';
    quota: 'exhausted' | 'ok';
    /**
     * `gone` when Constant Contact has withdrawn the version in use
     */
    api: 'gone' | 'ok';
  };
  /**
   * Who spends the day's calls
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
     * Calls of a day that the team is sure of
     */
    part: number;
    /**
     * Calls beyond its part
     */
    borrowed: number;
    /**
     * Calls that it may still make now
     */
    available: number;
  }[];
  /**
   * Who waits for a call to Constant Contact, and how long it takes
   */
  queues: {
    team: string;
    /**
     * `bulk`: exports; `refresh`: pages that are held, but stale
     */
    urgency: 'interactive' | 'refresh' | 'bulk';
    /**
     * Calls that wait for their turn
     */
    waiting: number;
    /**
     * Seconds, of the last 200 calls
     */
    waitP50: number;
    waitP95: number;
    /**
     * Calls that have waited since the start, if only for a moment
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
     * What would be right
     */
    allowed: string;
  }[];
}
