/**
 * What the codes of a failed tunnel mean, and what to do.
 */

const prefix = 'PROXY_';

/** Whether a code is about the proxy, not about Constant Contact behind it. */
export const isTunnelCode = (code: string) => code.startsWith(prefix);

/**
 * Says what is wrong with the proxy, to be read after its name, and what to do.
 *
 * @param variable names the proxy
 */
export function explainTunnelCode(code: string, variable: string): { readonly found: string; readonly remedy: string } {
  const what = code.slice(prefix.length);
  // Tinyproxy answers 401 to wrong credentials, 407 to none.
  if (what === '401' || what === '407') {
    const remedy = `put a user and a password into the URL of the proxy (${variable}), percent-encoded`;
    return { found: `requires credentials, or others (HTTP ${what})`, remedy };
  }
  if (/^4\d\d$/.test(what)) {
    const remedy = 'let it allow the host and its port, or call directly with NO_PROXY';
    return { found: `refuses (HTTP ${what})`, remedy };
  }
  if (/^5\d\d$/.test(what)) return { found: `cannot reach the host (HTTP ${what})`, remedy: 'see its log' };
  const how = /^\d+$/.test(what) ? `HTTP ${what}` : what;
  const remedy = `correct ${variable} or NO_PROXY, or name its authority in NODE_EXTRA_CA_CERTS`;
  return { found: `cannot be reached, or is no HTTP proxy (${how})`, remedy };
}
