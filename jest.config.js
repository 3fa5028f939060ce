import { availableParallelism } from 'node:os';

/** Suites of the public contract: they run with each version of Constant Contact's API. */
const contract = [
  'answer',
  'coalescing',
  'errors',
  'export',
  'fast-path',
  'links',
  'odd-rows',
  'openapi',
  'pages',
  'query',
  'read-ahead',
  'resilience',
  'walk',
];

/** Suites of the contract, of the guards and of what must not leak: hits are the same whichever way they take. */
const bothWays = [
  'answer',
  'attack/forwarded',
  'callers',
  'drop-in',
  'errors',
  'links',
  'pages',
  'query',
  'read-ahead',
  'resilience',
  'walk',
];

const project = {
  testEnvironment: 'node',
  extensionsToTreatAsEsm: ['.ts'],
  transform: {
    '\\.ts$': ['@swc/jest', { jsc: { target: 'es2023', parser: { syntax: 'typescript' } }, module: { type: 'es6' } }],
  },
};

export default {
  projects: [
    { ...project, displayName: 'v2', testMatch: ['<rootDir>/test/**/*.test.ts'] },
    {
      ...project,
      displayName: 'v3',
      testMatch: contract.map((name) => `<rootDir>/test/${name}.test.ts`),
      globals: { api: 'v3' },
    },
    {
      ...project,
      displayName: 'both ways',
      testMatch: bothWays.map((name) => `<rootDir>/test/${name}.test.ts`),
      globals: { bothWays: true },
    },
  ],
  // Tests wait for much, and leave a core to others: two at a time, also where there are two cores.
  maxWorkers: Math.max(2, availableParallelism() - 1),
  globalSetup: '<rootDir>/test/build.js',
  // Programs run as processes of their own, where their coverage is not seen; so does what a browser runs.
  collectCoverageFrom: [
    'src/**/*.ts',
    '!src/{main,authorize}.ts',
    '!src/sandbox/{main,demo}.ts',
    '!src/upstream/oauth/refresh-{main,process}.ts',
    '!src/workers/main.ts',
    '!src/site/browser/**',
    '!src/client/api.ts',
  ],
  coverageProvider: 'v8',
  coverageReporters: ['text', 'text-summary'],
  coverageThreshold: { global: { lines: 95 } },
  testTimeout: 30_000,
};
