/**
 * Why an address cannot be listened on: which setting to change.
 */

/** Its message is for the operator, who needs no stack. */
export class BindFailure extends Error {
  override readonly name = 'BindFailure';
}

interface Address<Host, Port> {
  readonly host: Host;
  readonly port: Port;
}

/** Appended where the variable `HOST` is to blame. */
export const hostHint = (name: string) =>
  /\bHOST\b/.test(name) ? '; or unset HOST, which some shells set to the name of the machine' : '';

/**
 * The failure of a server's `listen`, in words. Errors that are not about the address stay as they are.
 *
 * @param names of the settings, such as `server.port (PORT)`
 */
export function explainBindFailure(
  error: unknown,
  { host, port }: Address<string, number>,
  names: Address<string, string>,
): unknown {
  const { code } = error as NodeJS.ErrnoException;
  switch (code) {
    case 'EADDRINUSE':
      return new BindFailure(`${names.port}: port ${port} of ${host} is in use (${code}); allowed: a free port`);
    case 'EACCES':
      return new BindFailure(
        `${names.port}: this user may not listen on port ${port} (${code}); allowed: 1024 and above, or any with CAP_NET_BIND_SERVICE`,
      );
    case 'EADDRNOTAVAIL':
    case 'ENOTFOUND':
    case 'EAI_AGAIN':
    case 'EINVAL':
      return new BindFailure(
        `${names.host}: ${host} is not an address of this machine (${code}); allowed: one of its addresses, e.g. 127.0.0.1, or 0.0.0.0 or :: for all${hostHint(names.host)}`,
      );
    default:
      return error;
  }
}
