/** The arrows of ARCHITECTURE.md. `room` may import only itself and what is listed. */
const SHARED = '^src/lib/(error|private-directory)\\.ts$';
const room = (name) => `^src/lib/${name}/`;

function only(name, allowed, extra = []) {
  return {
    name: `${name}-arrows`,
    severity: 'error',
    from: { path: room(name), pathNot: '\\.test\\.ts$' },
    to: { path: '^src/', pathNot: [SHARED, room(name), ...allowed.map(room), ...extra] },
  };
}

function pure(name, core = [], packages = []) {
  return {
    name: `${name}-is-pure`,
    severity: 'error',
    from: { path: room(name), pathNot: '\\.test\\.ts$' },
    to: {
      pathNot: [
        SHARED,
        room('(unit|plan|route|traffic)'),
        ...core.map((item) => `^(node:)?${item}$`),
        ...packages.map((item) => `node_modules/${item}/`),
      ],
    },
  };
}

module.exports = {
  forbidden: [
    pure('unit', ['crypto'], ['fastest-levenshtein']),
    pure('plan'),
    // re2js is RE2 in plain JavaScript: as pure as ours.
    pure('route', [], ['re2js']),
    pure('traffic', [], ['re2js', 'tweetnacl']),
    only('traffic', ['route']),
    only('discovery', ['registry', 'traffic', 'route', 'store', 'config', 'keep']),
    only('keep', ['store']),
    {
      name: 'discovery-offers-are-pure',
      severity: 'error',
      from: { path: room('discovery/offers') },
      to: {
        pathNot: [SHARED, room('(discovery/offers|traffic|route)'), '^src/lib/registry/announcements\\.ts$'],
      },
    },
    {
      name: 'gateway-translate-is-pure',
      severity: 'error',
      from: { path: room('gateway/haproxy/translate') },
      to: {
        pathNot: [
          SHARED,
          room('(gateway/haproxy/(translate|regexp)|traffic|route)'),
          '^src/lib/gateway/(model|haproxy/(names|serving))\\.ts$',
          // Hashes, and what an IP address looks like.
          '^(node:)?(crypto|net)$',
          'node_modules/re2js/',
        ],
      },
    },
    {
      name: 'gateway-regexp-is-pure',
      severity: 'error',
      from: { path: room('gateway/haproxy/regexp') },
      to: { pathNot: [room('(gateway/haproxy/regexp|route)'), 'node_modules/re2js/'] },
    },
    {
      name: 'proxy-behind-its-port',
      severity: 'error',
      from: { path: '^src/', pathNot: [room('gateway/haproxy'), '^src/lib/gateway/chosen-proxy\\.ts$'] },
      to: { path: room('gateway/haproxy') },
    },
    {
      name: 'proxy-knows-only-its-port',
      severity: 'error',
      from: { path: room('gateway/haproxy') },
      to: {
        path: '^src/',
        pathNot: [
          SHARED,
          room('(gateway/haproxy|traffic|route)'),
          '^src/lib/gateway/(proxy|model|top|offenders|write-whole)\\.ts$',
          '^src/lib/keep/reporter\\.ts$',
        ],
      },
    },
    only('gateway', ['registry', 'traffic', 'route', 'store', 'config', 'keep']),
    {
      name: 'machine-and-store-are-strangers',
      severity: 'error',
      from: { path: room('(machine|store)') },
      to: { path: room('(machine|store)'), pathNot: '^src/lib/$1/' },
    },
    // A machine's record holds how to reach it, in the words of the machine room's port.
    only('registry', ['store', 'unit', 'plan', 'traffic'], ['^src/lib/machine/port\\.ts$']),
    only('control', [
      'registry',
      'machine',
      'plan',
      'unit',
      'store',
      'config',
      'lab',
      'traffic',
      'route',
      'gateway',
      'keep',
    ]),
    {
      name: 'commands-call-verbs',
      severity: 'error',
      from: { path: '^src/commands/', pathNot: '\\.test\\.ts$' },
      to: {
        path: '^src/',
        pathNot: [
          SHARED,
          '^src/(commands|cli)/',
          '^src/(base|flags)\\.ts$',
          room('(control|ui|lab|config|discovery|gateway)'),
        ],
        dependencyTypesNot: ['type-only'],
      },
    },
    {
      name: 'nobody-imports-commands',
      severity: 'error',
      from: { path: '^src/', pathNot: '^src/(commands/|commands\\.gen\\.ts$)' },
      to: { path: '^src/commands/' },
    },
    {
      name: 'no-cycles',
      severity: 'error',
      from: {},
      // The command map loads commands lazily, and help reads the map.
      to: { circular: true, viaOnly: { dependencyTypesNot: ['dynamic-import', 'type-only'] } },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default'],
    },
  },
};
