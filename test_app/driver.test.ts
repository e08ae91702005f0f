import { execFile } from 'node:child_process'
import { fileURLToPath } from 'node:url'
import { promisify } from 'node:util'
import test from 'ava'

const run = promisify(execFile)
const driver = fileURLToPath(new URL('main.js', import.meta.url))

for (const [replicas, more] of [
  [3, ['--load', '2']],
  [5, ['--read-quorum', '3', '--write-quorum', '3']],
] as const) {
  test.serial(
    `all ${2 * replicas} nodes are replaced and every client sees its last write`,
    async (t) => {
      t.timeout(180_000)
      const args = [driver, '--replicas', String(replicas), '--clients', '5', ...more]
      const { stdout } = await run(process.execPath, args)
      t.true(stdout.endsWith('\nPASS\n'), stdout)
      t.is(stdout.match(/ left, n\d+ joined, /g)?.length, 2 * replicas)
      t.is(stdout.match(/5 clients read version 2 after the replacements/g)?.length, 1)
    },
  )
}
