/** The layer rules, made from the table of rooms in scripts/rooms.json. */
const { rooms } = require('./scripts/rooms.json');

/** The folder or file of a room, below the root of the project. */
const pathOf = (name) => rooms[name].path ?? `src/lib/${name}/`;
const escaped = (path) => path.replaceAll('.', '\\.');

/** What a room is as a regular expression: its folder without the rooms inside it, or its file. */
function room(name) {
  const path = pathOf(name);
  if (path.endsWith('.ts')) return `^${escaped(path)}$`;
  const inside = Object.keys(rooms)
    .map(pathOf)
    .filter((other) => other !== path && other.startsWith(path))
    .map((other) => escaped(other.slice(path.length)).replace(/ts$/, 'ts$'));
  return `^${escaped(path)}${inside.length > 0 ? `(?!${inside.join('|')})` : ''}`;
}

/** A room, or one file of a room such as `registry/announcements.ts`. */
const target = (name) => (name.endsWith('.ts') ? `^src/lib/${escaped(name)}$` : room(name));

function rulesOf(name) {
  const { may, types = [], pure } = rooms[name];
  const from = { path: room(name) };
  const own = [room('error'), room(name)];
  const reachable = [...own, ...[...may, ...types].map(target)];
  const rules = [
    { name: `${name}-arrows`, severity: 'error', from, to: { path: '^src/', pathNot: reachable } },
  ];

  if (types.length > 0)
    rules.push({
      name: `${name}-types-only`,
      severity: 'error',
      from,
      to: {
        path: types.map(target),
        pathNot: [...own, ...may.map(target)],
        dependencyTypesNot: ['type-only'],
      },
    });

  if (pure !== undefined)
    rules.push({
      name: `${name}-is-pure`,
      severity: 'error',
      from,
      to: {
        pathNot: [
          '^src/',
          ...pure.map((item) =>
            item.startsWith('node:') ? `^(node:)?${item.slice(5)}$` : `node_modules/${item}/`,
          ),
        ],
      },
    });
  return rules;
}

module.exports = {
  forbidden: [
    ...Object.keys(rooms).flatMap(rulesOf),
    {
      name: 'every-file-has-a-room',
      severity: 'error',
      from: { path: '^src/', pathNot: Object.keys(rooms).map(room) },
      to: {},
    },
    {
      name: 'no-circles',
      severity: 'error',
      from: {},
      // The command map loads commands when they are called, and help reads the map.
      to: { circular: true, viaOnly: { dependencyTypesNot: ['dynamic-import'] } },
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
