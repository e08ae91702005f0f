/**
 * One request, at most one effect and one version: by what clients were told, each value has one version
 * and each version one value.
 */
import { formatVersion, type Version } from '../../shared/data/version.js'

/** A value that a put wrote or a get read, and the version that was told with it. */
export interface VersionedValue {
  readonly key: string
  readonly value: string
  readonly version: Version
}

/** What is wrong, in words; undefined if nothing is. */
export function findVersionConflict(told: Iterable<VersionedValue>): string | undefined {
  const versions = new Map<string, string>()
  const values = new Map<string, string>()
  for (const { key, value, version } of told) {
    const name = formatVersion(version)
    const known = versions.get(value) ?? name
    if (known !== name) return `${value} of ${key} has two versions: ${known} and ${name}`
    versions.set(value, name)
    const other = values.get(`${key} ${name}`) ?? value
    if (other !== value)
      return `two values of ${key} have the version ${name}: ${other} and ${value}`
    values.set(`${key} ${name}`, value)
  }
  return undefined
}
