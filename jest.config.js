import { availableParallelism } from 'node:os';

/**
 * Suites that run with v3, too: those in which another adapter can give another result. What stands above the adapters
 * (coalescing, read-ahead, the circuit, exports of pages that are there) is the same with both; decision 45 lists it.
 */
const withV3 = [
  ...['answer', 'campaigns', 'client-walks', 'errors', 'every-report', 'links', 'odd-rows', 'openapi', 'pages'],
  ...['query', 'storage', 'summary', 'walk'],
];

const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
};

/** Coverage is that of the other suites: to count takes a quarter of a suite's time. */
const uncounted = { ...project, coveragePathIgnorePatterns: ['/'] };

export default {
  projects: [
    { ...project, displayName: 'v2', testMatch: ['<rootDir>/test/*.test.ts'] },
    { ...uncounted, displayName: 'attack', testMatch: ['<rootDir>/test/attack/*.test.ts'] },
    {
      ...uncounted,
      displayName: 'v3',
      testMatch: withV3.map((name) => `<rootDir>/test/${name}.test.ts`),
      globals: { api: 'v3' },
    },
  ],
  // Tests wait for much: five at a time, also where there are two cores.
  maxWorkers: Math.max(5, availableParallelism() - 1),
  testSequencer: '<rootDir>/test/support/in-turn.js',
  globalSetup: '<rootDir>/test/build.js',
  // Programs run as processes of their own, where their coverage is not seen; so does what a browser runs.
  collectCoverageFrom: [
    'src/**/*.ts',
    '!src/{main,authorize,token}.ts',
    '!src/sandbox/{main,demo}.ts',
    '!src/upstream/oauth/refresh-{main,process}.ts',
    '!src/workers/{main,worker}.ts',
    '!src/site/browser/**',
    '!src/client/api.ts',
  ],
  // Counters in the code. V8's own counting takes three times as long: half a second a suite, and more with each that a worker has run.
  coverageProvider: 'babel',
  coverageReporters: ['text', 'text-summary'],
  coverageThreshold: { global: { lines: 95 } },
  // For a test that hangs; on a busy machine others take ten times their time.
  testTimeout: 60_000,
};
