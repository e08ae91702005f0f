/** Opens the LevelDB database of a node's store as an engine. */
import type { NodeId } from '../ring/description.js'
import type { EngineOptions } from './engine.js'
import { type LevelOptions, openLevel, readAll } from './level.js'
import { LevelEngine } from './level-engine.js'
import { metaBounds, metaKey, nameOfMetaKey, storeFormat } from './store-format.js'

export async function openLevelEngine(options: Required<EngineOptions>): Promise<LevelEngine> {
  const levelOptions: LevelOptions = {
    path: options.path,
    what: 'store',
    formatKey: metaKey('engine.format'),
    format: storeFormat,
    remedy: remedyOf(options.node),
  }
  const level = await openLevel(levelOptions)
  const meta = new Map<string, string>()
  for (const [key, value] of await readAll(level, levelOptions, metaBounds)) {
    meta.set(nameOfMetaKey(key), value.toString())
  }
  const { durability, merge } = options
  return new LevelEngine(level, { sync: durability === 'sync', meta, merge })
}

/** A node whose store is lost is one that is lost: the others hold its copies. */
function remedyOf(node: NodeId): string {
  return (
    `take the node out (gtstore node remove ${node} --force) and add a new one ` +
    '(gtstore node add): the other owners hold what it held'
  )
}
