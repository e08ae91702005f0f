/**
 * Opens the store of a node with the engine that its swarm's durability asks for. A store that is known
 * to have lost what was durable is refused: with it the node would answer for what it does not hold.
 */
import { basename } from 'node:path'
import { type Merge, mergeOf } from '../data/merge.js'
import type { Durability } from '../protocol/messages.js'
import type { NodeId } from '../ring/description.js'
import type { Engine } from '../runtime/ports.js'
import { type LevelOptions, openLevel, readAll } from './level.js'
import { LevelEngine } from './level-engine.js'
import { metaBounds, metaKey, nameOfMetaKey, storeFormat } from './store-format.js'

export async function openEngine(options: {
  /** Not used by `memory`, which leaves nothing on disk. */
  readonly path: string
  readonly durability: Durability
  /** By default that of mode `latest`. */
  readonly merge?: Merge
  /** Whose it is; by default the last part of the path. */
  readonly node?: NodeId
}): Promise<Engine> {
  const merge = options.merge ?? mergeOf('latest')
  if (options.durability === 'memory') {
    // Loaded only here: a node with a store on disk starts sooner without it.
    const { MemoryEngine } = await import('./memory-engine.js')
    const engine = new MemoryEngine(merge)
    await engine.open()
    return engine
  }
  const levelOptions: LevelOptions = {
    path: options.path,
    what: 'store',
    formatKey: metaKey('engine.format'),
    format: storeFormat,
    remedy: remedyOf(options.node ?? basename(options.path)),
  }
  const level = await openLevel(levelOptions)
  const meta = new Map<string, string>()
  for (const [key, value] of await readAll(level, levelOptions, metaBounds)) {
    meta.set(nameOfMetaKey(key), value.toString())
  }
  const { durability } = options
  return new LevelEngine(level, { sync: durability === 'sync', meta, merge })
}

/** A node whose store is lost is one that is lost: the others hold its copies. */
function remedyOf(node: NodeId): string {
  return (
    `take the node out (gtstore node remove ${node} --force) and add a new one ` +
    '(gtstore node add): the other owners hold what it held'
  )
}
