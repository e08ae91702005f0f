/**
 * Removes compiled files whose source is gone.
 *
 * The build is incremental and never empties `dist/`: a running swarm may start a node from it at any
 * moment. The price is that the output of a removed or renamed source lingers, and a lingering test
 * would still run; so every build ends here. `dist/programs` is not the compiler's.
 */
import { existsSync, readdirSync, rmSync } from 'node:fs'
import { join, relative } from 'node:path'
import { fileURLToPath } from 'node:url'

const root = fileURLToPath(new URL('../../', import.meta.url))
const dist = join(root, 'dist')
const programs = join(dist, 'programs')

for (const entry of readdirSync(dist, { recursive: true, withFileTypes: true })) {
  const output = join(entry.parentPath, entry.name)
  const source = join(root, relative(dist, output)).replace(/(\.d\.ts|\.js)$/, '.ts')
  const isCompiled = source.endsWith('.ts') && !output.startsWith(programs)
  if (entry.isFile() && isCompiled && !existsSync(source)) rmSync(output)
}
