/**
 * Who may import whom: the layers of docs/architecture.md and the wall around protocol code.
 *
 * `checks/imports.ts` runs these rules, and fails as well when they were applied to nothing.
 */
const test = '\\.(test|test-suite|fixture)\\.ts$'
/** The three process kinds and the words they share: sans-IO but for their edges. */
const protocolFolders = '^(manager|storage|client|shared/(ring|data|protocol|runtime))/'
/** Where protocol code is given a real world: the only product files that may open one. */
const edges = '^((manager|storage)/main|client/(index|admin))\\.ts$'

/** Folder -> what of ours it may import besides itself. */
const layers = {
  shared: [],
  manager: ['shared'],
  storage: ['shared'],
  client: ['shared'],
  bench: ['client', 'shared'],
  cli: ['client', 'shared', 'bench'],
  test_app: ['client', 'shared', 'sim', 'nemesis'],
  sim: ['manager', 'storage', 'client', 'shared'],
  nemesis: ['client', 'shared', 'sim'],
}
const ours = [...Object.keys(layers), 'checks']

const layerRules = Object.entries(layers).map(([folder, allowed]) => ({
  name: `layer-${folder}`,
  comment: `${folder}/ may import ${allowed.length === 0 ? 'nothing of ours' : allowed.join(', ')}.`,
  severity: 'error',
  from: { path: `^${folder}/` },
  to: {
    path: `^(${ours.filter((other) => other !== folder && !allowed.includes(other)).join('|')})/`,
  },
}))

/** What one folder of shared/ may import of the others. */
const sharedRules = [
  { name: 'data-is-pure', from: '^shared/data/', to: '^shared/(?!data/)' },
  { name: 'ring-is-pure', from: '^shared/ring/', to: '^shared/(?!(ring|data|runtime)/)' },
].map(({ name, from, to }) => ({
  name,
  comment: 'Placement and values are pure: they know no message and no machine.',
  severity: 'error',
  from: { path: from, pathNot: test },
  to: { path: to },
}))

export default {
  forbidden: [
    ...layerRules,
    ...sharedRules,
    {
      name: 'only-edges-open-the-world',
      comment: 'Protocol code and the simulator reach the world through Runtime and the ports.',
      severity: 'error',
      from: { path: `${protocolFolders}|^sim/`, pathNot: `${test}|${edges}` },
      to: { path: '^shared/os/' },
    },
    {
      name: 'no-io-in-protocol-code',
      comment: 'Sockets, files, timers and processes belong to shared/os/.',
      severity: 'error',
      from: { path: protocolFolders, pathNot: `${test}|${edges}` },
      to: { dependencyTypes: ['core'], pathNot: '^(node:)?(assert|buffer|crypto)$' },
    },
    {
      name: 'no-io-in-the-simulator',
      comment: 'A run is a function of its seed; only the command line of sim/ prints and forks.',
      severity: 'error',
      from: { path: '^sim/', pathNot: `${test}|^sim/main\\.ts$` },
      to: {
        dependencyTypes: ['core'],
        path: '(net|fs|child_process|worker_threads|timers|dgram|http)',
      },
    },
    {
      name: 'no-network',
      comment: 'Everything speaks over Unix domain sockets; only shared/os/ opens them.',
      severity: 'error',
      from: { path: '^(shared|manager|storage|client|cli|sim)/', pathNot: `${test}|^shared/os/` },
      to: { dependencyTypes: ['core'], path: '^(node:)?(net|dgram|http|https|http2|tls|dns)' },
    },
    {
      name: 'two-machines',
      comment:
        'XState describes the lives of the manager and of a node; per-request work is plain.',
      severity: 'error',
      from: { pathNot: `^manager/machine\\.ts$|^storage/(machine|life)\\.ts$|^checks/|${test}` },
      to: { path: '^node_modules/xstate/' },
    },
    {
      name: 'tests-are-leaves',
      comment: 'Only tests import tests, conformance suites and fixtures.',
      severity: 'error',
      from: { pathNot: test },
      to: { path: test },
    },
    {
      name: 'no-cycles',
      comment: 'Types may refer to one another; code may not.',
      severity: 'error',
      from: {},
      to: { circular: true, viaOnly: { dependencyTypesNot: ['type-only'] } },
    },
    {
      name: 'declared-dependencies',
      comment: 'The package installs what it imports, and only tests and checks use dev tools.',
      severity: 'error',
      from: { path: '^(shared|manager|storage|client|cli)/', pathNot: test },
      to: { dependencyTypes: ['npm-dev', 'npm-no-pkg', 'npm-unknown'] },
    },
    {
      name: 'resolvable',
      severity: 'error',
      from: {},
      to: { couldNotResolve: true },
    },
  ],
  options: {
    doNotFollow: { path: 'node_modules' },
    tsPreCompilationDeps: true,
    tsConfig: { fileName: 'tsconfig.json' },
    exclude: { path: '^(dist|\\.build)/' },
    enhancedResolveOptions: {
      exportsFields: ['exports'],
      conditionNames: ['import', 'require', 'node', 'default', 'types'],
    },
  },
}
