/**
 * What a client of the nemesis asks for, by the swarm's mode: plain writes (`latest`), writes with the
 * contexts of earlier gets and some without (`siblings`), writes that ask of a key that it is absent,
 * present or as it was read (`chain`). And what it was told, in the words of the history.
 */
import { type Client, type Found, GTStoreError, type PutOptions } from '../client/index.js'
import type { Mode } from '../shared/data/mode.js'
import { hostMicros } from '../shared/os/linux.js'
import type { Asked } from '../sim/checkers/operation.js'
import type { Random } from '../sim/random.js'
import type { Call } from './history.js'

/** A call before it is made. */
interface Asking extends Pick<Call, 'kind' | 'key' | 'value' | 'asked' | 'seen'> {
  readonly options: PutOptions
}

/** What the answer adds to a call. */
type Told = Partial<Pick<Call, 'value' | 'values' | 'version' | 'refused' | 'met'>>

/** What a client knows of a key by its last answer. */
interface Known {
  readonly value: string
  readonly version: string
  readonly values: readonly string[]
  readonly context: string | undefined
}

/** Shares of the writes. */
const conditionShare = 0.5
const contextShare = 0.85
/** Of writes among siblings: a get goes just before, the others have an older context. */
const readFirstShare = 0.6

export class Asker {
  readonly #mode: Mode
  readonly #random: Random
  readonly #known = new Map<string, Known>()

  constructor(mode: Mode, random: Random) {
    this.#mode = mode
    this.#random = random
  }

  /** Whether the client gets the key before this write, so as to write with what it saw. */
  readsFirst(kind: Call['kind']): boolean {
    return kind !== 'get' && this.#mode === 'siblings' && this.#random.chance(readFirstShare)
  }

  /** Makes a call; `value` is what a put writes. Undefined: there is nothing to delete. */
  async call(
    client: Client,
    kind: Call['kind'],
    key: string,
    value: string | undefined,
  ): Promise<Call | undefined> {
    const asking = this.#asking(kind, key, value)
    if (asking === undefined) return undefined
    const { options: _, ...asked } = asking
    const called = hostMicros()
    try {
      const told = await this.#tell(client, asking)
      return { ...asked, called, returned: hostMicros(), ...told }
    } catch (error) {
      if (!(error instanceof GTStoreError)) throw error
      const certainty = error.definite ? 'definite' : 'indefinite'
      const text = `${certainty} ${error.code}: ${error.message}`
      return { ...asked, called, returned: null, error: text }
    }
  }

  #asking(kind: Call['kind'], key: string, value: string | undefined): Asking | undefined {
    if (kind === 'get') return { kind, key, value, options: {} }
    const known = this.#known.get(key)
    // Without a context a delete is of what a get of its own sees, and that is not told.
    if (kind === 'delete' && this.#mode === 'siblings' && known === undefined) return undefined
    return { kind, key, value, ...this.#wish(kind, known) }
  }

  /** Of a condition that failed it tells; any other failure it throws. */
  async #tell(client: Client, { kind, key, value, asked, options }: Asking): Promise<Told> {
    if (kind === 'get') return this.#read(key, await client.get(key))
    try {
      if (value !== undefined) return this.#wrote(key, value, await client.put(key, value, options))
      const { existed } = await client.delete(key, options)
      this.#known.delete(key)
      // Elsewhere the delete is written all the same, and what existed a moment before is no matter.
      return asked === undefined || existed ? {} : { refused: true, met: null }
    } catch (error) {
      if (!(error instanceof GTStoreError) || error.code !== 'CONDITION_FAILED') throw error
      return { value, refused: true, met: error.version ?? null }
    }
  }

  #wish(
    kind: 'put' | 'delete',
    known: Known | undefined,
  ): Pick<Asking, 'asked' | 'seen' | 'options'> {
    switch (this.#mode) {
      case 'latest':
        return { options: {} }
      case 'siblings': {
        if (known?.context === undefined) return { options: {} }
        if (kind === 'put' && !this.#random.chance(contextShare)) return { options: {} }
        return { seen: known.values, options: { context: known.context } }
      }
      case 'chain':
        return this.#condition(kind, known)
    }
  }

  #condition(
    kind: 'put' | 'delete',
    known: Known | undefined,
  ): { asked?: Asked; options: PutOptions } {
    const random = this.#random
    if (!random.chance(conditionShare)) {
      // In a chain a delete asks by itself: it tells whether the key was there.
      return { ...(kind === 'delete' && { asked: { is: 'present' } }), options: {} }
    }
    if (known !== undefined && random.chance(0.6)) {
      const { value, version } = known
      return { asked: { is: 'value', value }, options: { ifVersion: version } }
    }
    if (kind === 'put' && random.chance(0.6)) {
      return { asked: { is: 'absent' }, options: { ifAbsent: true } }
    }
    return { asked: { is: 'present' }, options: { ifPresent: true } }
  }

  #read(key: string, found: Found<string> | undefined): Told {
    const isMany = this.#mode === 'siblings'
    if (found === undefined) {
      this.#known.delete(key)
      return { value: undefined, ...(isMany && { values: [] }) }
    }
    const { value, version, values = [], context } = found
    this.#known.set(key, { value, version, values, context })
    return { value, version, ...(isMany && { values }) }
  }

  #wrote(key: string, value: string, { version }: { readonly version: string }): Told {
    if (this.#mode === 'chain') {
      this.#known.set(key, { value, version, values: [], context: undefined })
    }
    return { value, version }
  }
}
