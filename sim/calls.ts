/**
 * What one life of a client asks for, by the mode of its swarm: gets, puts and deletes everywhere; in a
 * chain many of the writes ask that the key is absent, present or as this client last read it; among
 * siblings most carry the context of the client's last get of the key.
 */
import type { ClientCore, GetResult } from '../client/core.js'
import type { Condition } from '../shared/data/mode.js'
import { parseVersion, type Version } from '../shared/data/version.js'
import type { GTStoreError } from '../shared/protocol/errors.js'
import type { Millis } from '../shared/runtime/runtime.js'
import type { Asked } from './checkers/operation.js'
import type { Asking, EndOfCall } from './history.js'
import type { Random } from './random.js'
import type { Settings } from './settings.js'

export interface Manner {
  readonly timeoutMs: Millis
  /** Its deadline is short: it may fail. */
  readonly hasty: boolean
  /** Nothing is wrong any more: it must not fail, whatever happened before. */
  readonly isSure?: boolean
  readonly r?: number | undefined
  readonly w?: number | undefined
}

export interface CallsOptions {
  readonly core: ClientCore
  readonly settings: Settings
  readonly random: Random
  /** A value that was never written. */
  readonly nextValue: () => string
  /** A call begins. */
  readonly begin: (call: Omit<Asking, 'client'>, manner: Manner) => EndOfCall
}

/** What a client knows of a key: in mode `siblings` what its last get read. */
interface Known {
  readonly version: Version
  readonly value: string
  readonly seen: readonly string[]
  readonly context: Uint8Array | undefined
}

interface Write {
  readonly asked?: Asked | undefined
  readonly condition?: Condition | undefined
  readonly seen?: readonly string[] | undefined
  readonly context?: Uint8Array | undefined
}

export class Calls {
  readonly #options: CallsOptions
  readonly #known = new Map<string, Known>()

  constructor(options: CallsOptions) {
    this.#options = options
  }

  get(key: string, manner: Manner, done: () => void): void {
    this.#get(key, manner, done)
  }

  write(kind: 'put' | 'delete', key: string, manner: Manner, done: () => void): void {
    const { settings } = this.#options
    if (settings.mode !== 'siblings' || settings.contextShare < 1) {
      return this.#write(kind, key, manner, this.#wish(kind, key), done)
    }
    this.#get(key, manner, (error, known) => {
      if (error !== undefined) done()
      else this.#write(kind, key, manner, known ?? {}, done)
    })
  }

  #get(
    key: string,
    manner: Manner,
    done: (error: GTStoreError | undefined, known: Known | undefined) => void,
  ): void {
    const { core, begin, settings } = this.#options
    const end = begin({ kind: 'get', key, value: undefined }, manner)
    const { timeoutMs } = manner
    const r = settings.mode === 'chain' ? undefined : manner.r
    core.get(bytesOf(key), { r, timeoutMs }, (error, result) => {
      if (error !== undefined) {
        end(error)
        return done(error, undefined)
      }
      const known = result && knownBy(result)
      if (known === undefined) this.#known.delete(key)
      else this.#known.set(key, known)
      const isMany = settings.mode === 'siblings'
      // Of siblings only the record has a version.
      if (isMany) end(undefined, { value: known?.value, values: known?.seen ?? [] })
      else end(undefined, known)
      done(undefined, known)
    })
  }

  #wish(kind: 'put' | 'delete', key: string): Write {
    const { settings, random } = this.#options
    const { mode, conditionShare, contextShare } = settings
    const known = this.#known.get(key)
    switch (mode) {
      case 'latest':
        return {}
      case 'siblings': {
        if (known === undefined || !random.chance(contextShare)) return {}
        return { seen: known.seen, context: known.context }
      }
      case 'chain': {
        if (!random.chance(conditionShare)) return kind === 'delete' ? this.#plainDelete() : {}
        const isOfVersion = known !== undefined && random.chance(0.6)
        if (isOfVersion) {
          const { version, value } = known
          return { asked: { is: 'value', value }, condition: { is: 'version', version } }
        }
        const is = kind === 'put' && random.chance(0.6) ? 'absent' : 'present'
        return { asked: { is }, condition: { is } }
      }
    }
  }

  /** The library's own deletes what is present; without a condition it can be written all the same. */
  #plainDelete(): Write {
    return this.#options.random.chance(0.5) ? { asked: { is: 'present' } } : {}
  }

  #write(
    kind: 'put' | 'delete',
    key: string,
    manner: Manner,
    { asked, condition, seen, context }: Write,
    done: () => void,
  ): void {
    const { core, begin, nextValue, settings } = this.#options
    const { mode } = settings
    const value = kind === 'put' ? nextValue() : undefined
    const end = begin({ kind, key, value, asked, seen }, manner)
    const { timeoutMs } = manner
    const w = mode === 'chain' ? undefined : manner.w
    const isPlainDelete = value === undefined && condition === undefined && asked !== undefined
    if (isPlainDelete || (value === undefined && mode === 'latest')) {
      core.delete(bytesOf(key), { w, timeoutMs }, (error, result) => {
        end(error, isPlainDelete && result?.existed === false ? { met: null } : {})
        done()
      })
      return
    }
    const bytes = value === undefined ? null : bytesOf(value)
    core.put(bytesOf(key), bytes, { w, timeoutMs, condition, context }, (error, version) => {
      if (error?.code === 'CONDITION_FAILED') end(undefined, { met: metBy(error) })
      else end(error, { version: mode === 'siblings' ? undefined : version })
      if (version !== undefined && value !== undefined && mode === 'chain') {
        this.#known.set(key, { version, value, seen: [], context: undefined })
      }
      done()
    })
  }
}

function knownBy({ version, value, siblings }: GetResult): Known {
  const seen = siblings?.values.map(textOf) ?? []
  return { version, value: textOf(value), seen, context: siblings?.context }
}

function metBy({ version }: GTStoreError): Version | null {
  if (version === undefined || version === null) return null
  const met = parseVersion(version)
  if (met === undefined) throw new Error(`a condition met ${version}, which is no version`)
  return met
}

function bytesOf(text: string): Uint8Array {
  return Buffer.from(text)
}

function textOf(bytes: Uint8Array): string {
  return Buffer.from(bytes).toString()
}
