import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Encoder } from 'cbor-x'
import { decode } from '../shared/protocol/codec.js'
import { Echo } from './echo.js'
import { runLoad } from './load.js'

test('the echo sends every message back as it came', async (t) => {
  t.timeout(30_000)
  const directory = mkdtempSync(join(tmpdir(), 'gtstore-echo-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const client = await Echo.start(join(directory, 'echo.sock'))
  t.teardown(() => client.stop())
  const echoed = await client.put('key', Buffer.from('value'))
  const [, id, key, value] = echoed
  t.deepEqual([id, key, value], [1, Buffer.from('key'), Buffer.from('value')])
  const wire = new Encoder({ useRecords: false }).encode(echoed)
  t.like(decode(wire), { kind: 'put', id: 1, w: 0 }, 'it is a put of the protocol')
  const report = await runLoad({
    client,
    operations: 500,
    inFlight: 64,
    valueBytes: 100,
    putShare: 1,
  })
  t.like(report, { ops: 500, errors: 0 })
})
