/** A starved host must not look like dead nodes. */
import { type ChildProcess, spawn } from 'node:child_process'
import { setTimeout as pause } from 'node:timers/promises'
import test from 'ava'
import { connect, startSwarm } from './swarm.fixture.js'
import { VerifiedLoad } from './verified-load.js'

const minutes = Number(process.env.GTSTORE_DETECTOR_MINUTES ?? 0)
const nodes = 24
const hogs = 8

/** Runs until it is killed. */
function hog(): ChildProcess {
  return spawn(process.execPath, ['-e', 'for (;;);'], { stdio: 'ignore' })
}

const title = `${nodes} busy nodes and ${hogs} CPU hogs: nobody is evicted`
const run = minutes > 0 ? test : test.skip
run(`${title} (GTSTORE_DETECTOR_MINUTES: ${minutes})`, async (t) => {
  t.timeout((minutes + 5) * 60_000)
  const swarm = await startSwarm(t, { nodes, evictAfterMs: 1_000 })
  const writer = await connect(t, swarm)
  const reader = await connect(t, swarm)
  const load = new VerifiedLoad({ writer, reader, keys: 10_000, inFlight: 64 })
  await load.preload()
  const { epoch } = await swarm.status()
  const hogging = Array.from({ length: hogs }, hog)
  t.teardown(() => {
    for (const child of hogging) child.kill('SIGKILL')
  })
  load.start()
  await pause(minutes * 60_000)
  await load.stop()
  for (const child of hogging) child.kill('SIGKILL')
  const status = await swarm.settled(nodes)
  const { operations, wrong, missing, examples } = load.verdict
  t.log(`${operations} operations in ${minutes} minutes`)
  t.is(status.epoch, epoch)
  t.deepEqual({ wrong, missing, examples }, { wrong: 0, missing: 0, examples: [] })
})
