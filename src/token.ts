/**
 * `npm run token -- bi`: makes a token for a team. Prints it once, with the team's entry for the configuration, which has only the
 * token's digest.
 */
import { hash, randomBytes } from 'node:crypto';
import { teamName } from './config/sections/callers.ts';

const exUsage = 64; // sysexits.h, as in main.ts

const usage = `Usage: npm run token -- <team>

  <team>  name of the team: 1 to 32 letters, digits, - and _, and not default
`;

const [name, ...others] = process.argv.slice(2);
if (others.length > 0 || !teamName.safeParse(name).success) {
  process.stderr.write(usage);
  process.exit(exUsage);
}

// Hexadecimal: a `-` in front would be taken for a flag.
const token = randomBytes(32).toString('hex');
const entry = JSON.stringify({ name, tokensSha256: [hash('sha256', token, 'hex')] });
process.stdout.write(`Token of the team ${name}. It is shown only now; callers send it as Authorization: Bearer …

  ${token}

Entry in teams. If the team has one already, add the digest to its tokensSha256.

  ${entry}
`);
