import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Echo } from './echo.js'
import { runLoad } from './load.js'

test('the echo sends every message back as it came', async (t) => {
  t.timeout(30_000)
  const directory = mkdtempSync(join(tmpdir(), 'gtstore-echo-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const client = await Echo.start(join(directory, 'echo.sock'))
  t.teardown(() => client.stop())
  const echoed = await client.put('key', Buffer.from('value'))
  t.is(Buffer.from(echoed.key).toString(), 'key')
  t.is(Buffer.from(echoed.value ?? '').toString(), 'value')
  const report = await runLoad({
    client,
    operations: 500,
    inFlight: 64,
    valueBytes: 100,
    putShare: 1,
  })
  t.like(report, { ops: 500, errors: 0 })
})
