/** The rooms of `src`, from top to bottom: imports, of types too, point down this list only. */
const rooms = [
  [
    'programs',
    'src/(main|authorize|token|workers/(main|worker)|upstream/oauth/refresh-main|sandbox/(main|demo))[.]ts$',
  ],
  ...[
    'sandbox',
    'compose',
    'doctor',
    'workers',
    'app',
    'site',
    'client',
    'campaigns',
    'reports',
    'callers',
    'http',
    'observability',
    'cache',
    'upstream',
    'quota',
    'storage',
    'redis',
    'config',
  ].map((room) => [room, `src/${room}/`]),
  ['events', 'src/events[.]ts$'],
  ['model', 'src/model/'],
  ['ground', 'src/(problems|clock|tracing)[.]ts$'],
];
const [[, programs]] = rooms;

export default {
  forbidden: [
    { name: 'no circle', severity: 'error', from: {}, to: { circular: true } },
    // From and to: one without imports is found by those who import it. Whether each is imported at all, knip checks.
    ...['from', 'to'].map((end) => ({
      name: 'no file outside the rooms',
      severity: 'error',
      ...{ from: {}, to: {} },
      [end]: { path: '^src/', pathNot: rooms.map(([, path]) => `^${path}`) },
    })),
    ...rooms.slice(1).map(([room, path], index) => ({
      name: `${room} imports downwards`,
      severity: 'error',
      from: { path: `^${path}`, pathNot: `^${programs}` },
      to: { path: rooms.slice(0, index + 1).map(([, above]) => `^${above}`) },
    })),
  ],
  options: { parser: 'swc', tsPreCompilationDeps: true, doNotFollow: { path: 'node_modules' } },
};
