/**
 * The order of suites: long ones first, so that none of them is begun when all else is done, and those that wait beside those that
 * compute. Jest knows how long each took only where it has run before, and not whether it waited.
 */
import Sequencer from '@jest/test-sequencer';

/** Suites that mostly wait: for Redis to be missed, for timers, for processes to end. */
const waiting = [
  'workers',
  'redis',
  'shared-quota',
  'redis-acl',
  'errors',
  'oauth',
  'client',
  'shared-secrets',
  'shared-pages',
  'refusals',
  'reload-live',
  'reload-load',
  'attack/odd-questions',
  'attack/day-shared',
  'export',
  'tracing',
  'token-answers',
  'attack/redis',
  'attack/logs',
  'limits',
  'shared-process',
  'attack/stopping',
  'doctor',
  'outbound-proxy',
  'attack/storage',
  'recipes',
];

/** Suites of more than ten seconds that compute. */
const computing = [
  'explorer',
  'explorer-reports',
  'explorer-campaigns',
  'campaigns',
  'explorer-charts',
  'ids',
  'process',
  'shared-ids',
  'attack/storage-files',
  'docker',
  'walk',
  'replay',
  'v3',
  'attack/unknown-ids',
  'drop-in-sdks',
  'pages',
  'openapi',
];

const last = 2 * (waiting.length + computing.length);

const rank = ({ path }) => {
  const [wait, compute] = [waiting, computing].map((names) =>
    names.findIndex((name) => path.endsWith(`/test/${name}.test.ts`)),
  );
  return wait >= 0 ? 2 * wait : compute >= 0 ? 2 * compute + 1 : last;
};

export default class extends Sequencer {
  sort(tests) {
    return super.sort(tests).toSorted((one, other) => rank(one) - rank(other));
  }
}
