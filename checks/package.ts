/**
 * The package as a user gets it: packed, linted, installed without dev tools into an empty project,
 * and then used there: its command, its import and its types.
 */
import { execFileSync } from 'node:child_process'
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { repositoryRoot } from './sources.js'

const consumer = `
import { type Client, GTStoreError, init } from 'gtstore'

export async function visit(): Promise<string | undefined> {
  const client: Client = await init({ swarm: 'nobody', timeoutMs: 100 })
  try {
    await client.put('key', 'value', { w: 2 })
    return (await client.get('key'))?.value
  } catch (error) {
    if (error instanceof GTStoreError && error.definite) return error.code
    throw error
  } finally {
    await client.finalize()
  }
}
`

/** A strict consumer that installs nothing else: the package brings the types that it needs. */
const compilerOptions = {
  noEmit: true,
  strict: true,
  target: 'es2023',
  lib: ['es2023', 'esnext.disposable'],
  module: 'nodenext',
  types: [],
}

function run(cwd: string, file: string, ...args: string[]): string {
  return execFileSync(file, args, { cwd, encoding: 'utf8', stdio: ['ignore', 'pipe', 'inherit'] })
}

/** Packs into a directory; returns the tarball and the paths in it. */
function pack(directory: string): { tarball: string; paths: string[] } {
  const report = run(
    repositoryRoot,
    'npm',
    ...['pack', '--json', '--ignore-scripts', '--pack-destination', directory],
  )
  const [packed] = JSON.parse(report) as [{ filename: string; files: { path: string }[] }]
  return { tarball: join(directory, packed.filename), paths: packed.files.map((file) => file.path) }
}

const files = [
  'LICENSE',
  'bin/gtstore',
  'dist/bench/load.js',
  'dist/programs/manager.js',
  'dist/programs/storage.js',
]

const foreign: readonly RegExp[] = [
  /\.(test|test-suite|fixture)\./,
  /^dist\/(sim|test_app|nemesis|checks)\//,
  /^dist\/bench\/(?!load|random)/,
  /tsbuildinfo|(^|\/)\.build/,
]

function assertContents(paths: readonly string[]): void {
  const strangers = paths.filter((path) => foreign.some((form) => form.test(path)))
  if (strangers.length > 0)
    throw new Error(`does not belong in the package: ${strangers.join(', ')}`)
  for (const needed of [...linkedFromReadme(), ...files]) {
    if (!paths.includes(needed)) throw new Error(`missing from the package: ${needed}`)
  }
}

/** The pages that the README sends its reader to; its links to code are for the repository. */
function linkedFromReadme(): string[] {
  const text = readFileSync(join(repositoryRoot, 'README.md'), 'utf8')
  const pages = [...text.matchAll(/\]\(([\w/.-]+\.md)\)/g)].map(([, page = '']) => page)
  if (pages.length === 0) throw new Error('the README links to no page')
  return ['README.md', ...pages]
}

/** Installs the tarball into an empty project and uses it. */
function tryOut(project: string, tarball: string): void {
  mkdirSync(project)
  writeFileSync(join(project, 'package.json'), JSON.stringify({ name: 'consumer', type: 'module' }))
  run(project, 'npm', 'install', '--omit=dev', '--prefer-offline', '--no-audit', tarball)
  const version = run(project, 'node_modules/.bin/gtstore', '--version').trim()
  const exported = run(
    project,
    process.execPath,
    ...['--input-type=module', '-e', "console.log(typeof (await import('gtstore')).init)"],
  ).trim()
  if (exported !== 'function') throw new Error(`init is ${exported} in the installed package`)
  writeFileSync(join(project, 'consumer.ts'), consumer)
  writeFileSync(join(project, 'tsconfig.json'), JSON.stringify({ compilerOptions }))
  run(project, join(repositoryRoot, 'node_modules/.bin/tsc'), '-p', '.')
  console.log(`gtstore ${version} installs, runs, imports and types`)
}

const directory = mkdtempSync(join(tmpdir(), 'gtstore-package-'))
try {
  const { tarball, paths } = pack(directory)
  assertContents(paths)
  run(repositoryRoot, 'node_modules/.bin/publint', 'run', '--strict', tarball)
  tryOut(join(directory, 'project'), tarball)
} finally {
  rmSync(directory, { recursive: true, force: true })
}
