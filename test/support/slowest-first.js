/**
 * The order of suites: those that take longest first, so that none of them is begun when all else is done. Jest knows how long
 * each took only where it has run before; a fresh clone goes by this list, and by the sizes of files.
 */
import Sequencer from '@jest/test-sequencer';

/** Suites of more than ten seconds, the longest first; those of v3's project run behind all of v2's. */
const slowest = [
  'redis',
  'shared-quota',
  'workers',
  'explorer',
  'redis-acl',
  'ids',
  'shared-pages',
  'shared-secrets',
  'oauth',
  'client',
  'refusals',
  'attack/odd-questions',
  'attack/redis',
  'errors',
  'process',
  'limits',
  'export',
  'tracing',
  'attack/logs',
  'token-answers',
  'attack/day-shared',
  'shared-ids',
  'shared-process',
  'v3',
  'replay',
  'attack/stopping',
  'docker',
];

const rank = ({ path }) => {
  const at = slowest.findIndex((name) => path.endsWith(`/test/${name}.test.ts`));
  return at === -1 ? slowest.length : at;
};

export default class extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => rank(one) - rank(other));
  }
}
