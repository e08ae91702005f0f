import { execFile } from 'node:child_process'
import { availableParallelism, constants, setPriority } from 'node:os'
import { fileURLToPath } from 'node:url'
import test from 'ava'
import { replayOf } from './batch.js'
import { faultKinds } from './fault-settings.js'
import { plants } from './planted.js'
import { runSeed } from './run.js'

const seeds = 200
const main = fileURLToPath(new URL('./main.js', import.meta.url))

interface Printed {
  readonly code: number
  readonly text: string
}

/** Runs the simulator's command, behind the tests that watch real time. */
async function sim(...args: readonly string[]): Promise<Printed> {
  return await new Promise((resolve) => {
    const jobs = String(Math.min(2, availableParallelism()))
    const command = [main, ...args, '--jobs', jobs]
    const { pid } = execFile(process.execPath, command, (error, stdout, stderr) => {
      resolve({ code: error === null ? 0 : Number(error.code), text: stdout + stderr })
    })
    if (pid !== undefined) setPriority(pid, constants.priority.PRIORITY_LOW)
  })
}

for (const mode of ['latest', 'siblings', 'chain']) {
  test.serial(
    `${mode}: seeds pass: histories, invariants, rest, the same trace again`,
    async (t) => {
      t.timeout(600_000)
      const { code, text } = await sim('--mode', mode, '--seeds', String(seeds))
      t.log(text)
      t.is(code, 0)
      t.regex(text, new RegExp(`^${seeds} seeds from 1: .*\\bPASS$`, 'ms'))
      for (const kind of faultKinds) t.regex(text, new RegExp(`\\b${kind} \\d+`), kind)
    },
  )
}

test.serial('every planted bug is found', async (t) => {
  t.timeout(600_000)
  const { code, text } = await sim('--planted', '--short')
  t.log(text)
  t.is(code, 0)
  const count = Object.keys(plants).length
  t.true(count >= 30)
  t.regex(text, new RegExp(`^${count} of ${count} found$`, 'm'))
})

test('a seed replays byte for byte, and its trace does not change its course', (t) => {
  t.timeout(60_000)
  const trace = (seed: number) => {
    const lines: string[] = []
    const { hash } = runSeed(seed, { sink: (line) => lines.push(line) })
    return { hash, text: lines.join('\n') }
  }
  const first = trace(3)
  t.true(first.text.length > 100_000)
  t.deepEqual(trace(3), first)
  t.is(runSeed(3).hash, first.hash)
  t.not(trace(4).hash, first.hash)
})

test('a failure names the command that replays it', (t) => {
  t.is(replayOf('chain', 17), 'npm run sim -- --mode chain --seed 17 --trace')
})
