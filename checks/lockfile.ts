/** The lockfile records what is installed, never from where: no download address may stand in it. */
import { read } from './sources.js'

interface Lockfile {
  readonly lockfileVersion: number
  readonly packages: Readonly<
    Record<string, { readonly resolved?: string; readonly integrity?: string }>
  >
}

const { packages } = JSON.parse(read('package-lock.json')) as Lockfile
const installed = Object.entries(packages).filter(([path]) => path !== '')
const addressed = installed.filter(([, entry]) => entry.resolved !== undefined)
const unverified = installed.filter(([, entry]) => entry.integrity === undefined)
for (const [path] of addressed) console.error(`records a download address: ${path}`)
for (const [path] of unverified) console.error(`has no integrity hash: ${path}`)
console.log(`${installed.length} packages locked`)
const faults = addressed.length + unverified.length
process.exitCode = installed.length === 0 || faults > 0 ? 1 : 0
