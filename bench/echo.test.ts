import { mkdtempSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import test from 'ava'
import { Echo } from './echo.js'

test('the echo answers every message, one at a time and many', async (t) => {
  t.timeout(30_000)
  const directory = mkdtempSync(join(tmpdir(), 'gtstore-echo-'))
  t.teardown(() => rmSync(directory, { recursive: true }))
  const echo = await Echo.start(join(directory, 'echo.sock'))
  t.teardown(() => echo.stop())
  for (const inFlight of [1, 64]) {
    const { latency, opsPerSecond } = await echo.exchange(500, inFlight, 100)
    t.is(latency.count, 500)
    t.true(latency.p50 > 0 && opsPerSecond > 0)
  }
})
