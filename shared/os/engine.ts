/** Opens the store of a node with the engine that its swarm's durability asks for. */
import type { Durability } from '../protocol/messages.js'
import type { Engine } from '../runtime/ports.js'
import { openLevel } from './level.js'
import { LevelEngine } from './level-engine.js'
import { metaBounds, metaKey, nameOfMetaKey, storeFormat } from './store-format.js'

export async function openEngine(options: {
  /** Not used by `memory`, which leaves nothing on disk. */
  readonly path: string
  readonly durability: Durability
}): Promise<Engine> {
  if (options.durability === 'memory') {
    // Loaded only here: a node with a store on disk starts sooner without it.
    const { MemoryEngine } = await import('./memory-engine.js')
    const engine = new MemoryEngine()
    await engine.open()
    return engine
  }
  const level = await openLevel({
    path: options.path,
    what: 'store',
    formatKey: metaKey('engine.format'),
    format: storeFormat,
  })
  const meta = new Map<string, string>()
  for (const [key, value] of await level.iterator(metaBounds).all()) {
    meta.set(nameOfMetaKey(key), value.toString())
  }
  return new LevelEngine(level, { sync: options.durability === 'sync', meta })
}
