import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { engineConformance } from '../runtime/engine.test-suite.js'
import type { Engine } from '../runtime/ports.js'
import { openEngine } from './engine.js'

const root = mkdtempSync(join(tmpdir(), 'gtstore-engine-'))
test.after.always(() => rmSync(root, { recursive: true }))

function freshPath(): string {
  return join(mkdtempSync(join(root, 'store-')), 'db')
}

function closed(engine: Engine): Promise<void> {
  return new Promise((resolve, reject) => {
    engine.close((error) => (error === undefined ? resolve() : reject(error)))
  })
}

for (const durability of ['sync', 'write'] as const) {
  engineConformance(test, durability, async () => {
    const path = freshPath()
    const engine = await openEngine({ path, durability })
    const reopen = async () => {
      await closed(engine)
      return openEngine({ path, durability })
    }
    return { engine, reopen }
  })
}

engineConformance(test, 'memory', async () => ({
  engine: await openEngine({ path: '', durability: 'memory' }),
}))
