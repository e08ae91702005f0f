import { spawn, spawnSync } from 'node:child_process'
import { once } from 'node:events'
import { copyFileSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'

test('kill-node.sh kills the node that is named, and nobody for one that is down', async (t) => {
  t.timeout(20_000)
  const root = mkdtempSync(join(tmpdir(), 'gts-scripts-'))
  t.teardown(() => rmSync(root, { recursive: true }))
  for (const folder of ['bin', 'scripts']) mkdirSync(join(root, folder))
  const script = join(root, 'scripts', 'kill-node.sh')
  copyFileSync('scripts/kill-node.sh', script)
  const victim = spawn('sleep', ['60'])
  t.teardown(() => victim.kill('SIGKILL'))
  const says = (state: string) => {
    const table = `node life pid state\nn1 1 999999999 active\nn3 2 ${victim.pid} ${state}`
    writeFileSync(join(root, 'bin', 'gtstore'), `#!/bin/sh\nprintf '${table}\\n'\n`, {
      mode: 0o700,
    })
  }
  const kill = (node: string) => spawnSync('sh', [script, node], { encoding: 'utf8' })
  says('down')
  for (const node of ['n3', 'n9']) {
    const { status, stderr } = kill(node)
    t.is(status, 1)
    t.regex(stderr, new RegExp(`no node ${node} is running`))
  }
  t.is(victim.exitCode ?? victim.signalCode, null)
  says('active')
  const end = once(victim, 'exit')
  t.is(kill('n3').stdout, `killed n3 (pid ${victim.pid})\n`)
  t.deepEqual(await end, [null, 'SIGKILL'])
})
