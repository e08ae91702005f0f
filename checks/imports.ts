/**
 * Applies the import rules of `.dependency-cruiser.js` to every source folder.
 *
 * dependency-cruiser reports success where it understood nothing (another TypeScript, a moved folder).
 * So this check also compares what was cruised with the sources that exist.
 */
import { spawnSync } from 'node:child_process'
import { join } from 'node:path'
import { repositoryRoot, sourceFiles, sourceFolders } from './sources.js'

interface CruiseResult {
  readonly modules: readonly { readonly source: string }[]
  readonly summary: {
    readonly totalDependenciesCruised: number
    readonly violations: readonly {
      readonly from: string
      readonly to: string
      readonly rule: { readonly name: string; readonly severity: string }
    }[]
  }
}

const cruiser = join(repositoryRoot, 'node_modules/.bin/depcruise')
const run = spawnSync(
  process.execPath,
  [cruiser, '--config', '.dependency-cruiser.js', '--output-type', 'json', ...sourceFolders()],
  { cwd: repositoryRoot, encoding: 'utf8', maxBuffer: 256 * 1024 * 1024 },
)
if (run.stdout === '') throw new Error(`dependency-cruiser failed: ${run.stderr}`)
const { modules, summary } = JSON.parse(run.stdout) as CruiseResult

const cruised = new Set(modules.map((module) => module.source))
const missed = sourceFiles().filter((file) => !cruised.has(file))
for (const file of missed) console.error(`not cruised: ${file}`)
for (const { from, to, rule } of summary.violations) console.error(`${rule.name}: ${from} -> ${to}`)
const seen = summary.totalDependenciesCruised
console.log(`${cruised.size} modules, ${seen} imports, ${summary.violations.length} violations`)
process.exitCode = seen === 0 || missed.length > 0 || summary.violations.length > 0 ? 1 : 0
