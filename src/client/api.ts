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
   * The id in the request
   */
  campaign_id: string;
  /**
   * Constant Contact's count of sends; null until it has one, as before a campaign is sent
   */
  sends: number | null;
}
export interface Status {
  /**
   * State of Constant Contact, and what is left of the account's limits
   */
  upstream: {
    callsThisSecond: number;
    /**
     * Calls currently allowed per second
     */
    perSecond: number;
    callsToday: number;
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
