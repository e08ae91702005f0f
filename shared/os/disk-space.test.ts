import { tmpdir } from 'node:os'
import test from 'ava'
import { diskReserveBytes } from '../runtime/limits.js'
import {
  type FileSystem,
  freeBytes,
  hasLittleRoom,
  isNoSpace,
  watchDiskSpace,
} from './disk-space.js'

const block = 4096
const large = 1_000_000

function free(bytes: number, blocks = large): FileSystem {
  return { bsize: block, blocks, bavail: Math.floor(bytes / block) }
}

/** A disk whose answers the test gives, and the turns that the watch has told. */
class Scripted {
  answer: FileSystem | Error
  asked = 0
  readonly turns: [isLow: boolean, freeBytes: number][] = []
  #next: () => void = () => {}

  constructor(answer: FileSystem | Error) {
    this.answer = answer
  }

  readonly watch = () =>
    watchDiskSpace({
      path: '/data',
      ask: async () => {
        this.asked += 1
        if (this.answer instanceof Error) throw this.answer
        return this.answer
      },
      changed: (isLow, freeBytes) => {
        this.turns.push([isLow, freeBytes])
        this.#next()
      },
    })

  turnsTo(answer: FileSystem | Error): Promise<void> {
    this.answer = answer
    return new Promise((resolve) => {
      this.#next = resolve
    })
  }
}

test('the reserve is the smaller of a size and a share of the disk', (t) => {
  t.false(hasLittleRoom(free(diskReserveBytes)))
  t.true(hasLittleRoom(free(diskReserveBytes - block)))
  // 4 MB of blocks: 5% are 200 KiB.
  t.false(hasLittleRoom(free(60 * block, 1000)))
  t.true(hasLittleRoom(free(49 * block, 1000)))
  t.true(hasLittleRoom({ bsize: 0, blocks: 0, bavail: 0 }))
})

test('each turn is told once, and a disk that is low from the start at once', async (t) => {
  t.timeout(20_000)
  const disk = new Scripted(free(0))
  const watch = await disk.watch()
  t.teardown(() => watch.close())
  t.true(watch.isLow())
  t.deepEqual(disk.turns, [[true, 0]])
  const room = diskReserveBytes * 2
  await disk.turnsTo(free(room))
  t.false(watch.isLow())
  await disk.turnsTo(free(block))
  t.true(watch.isLow())
  await disk.turnsTo(free(room))
  t.deepEqual(
    disk.turns.map(([isLow]) => isLow),
    [true, false, true, false],
  )
})

test('a disk that cannot be asked any more is low, and recovers', async (t) => {
  t.timeout(20_000)
  const disk = new Scripted(free(diskReserveBytes * 2))
  const watch = await disk.watch()
  t.teardown(() => watch.close())
  t.deepEqual(disk.turns, [])
  await disk.turnsTo(new Error('EIO'))
  t.true(watch.isLow())
  await disk.turnsTo(free(diskReserveBytes * 2))
  t.false(watch.isLow())
})

test('a disk that cannot be asked at first is an error', async (t) => {
  const disk = new Scripted(new Error('ENOENT'))
  await t.throwsAsync(disk.watch(), { message: 'ENOENT' })
})

test('the real disk answers', async (t) => {
  t.true((freeBytes(tmpdir()) ?? 0) > 0)
  t.is(freeBytes('/nowhere/at/all'), undefined)
  const watch = await watchDiskSpace({ path: tmpdir(), changed: () => {} })
  watch.close()
  t.is(typeof watch.isLow(), 'boolean')
})

test('an error for want of space is told from others', (t) => {
  t.true(isNoSpace(Object.assign(new Error('write'), { code: 'ENOSPC' })))
  t.true(isNoSpace(new Error('IO error: /data/000003.log: No space left on device')))
  t.false(isNoSpace(new Error('IO error: /data/000003.log: Input/output error')))
  t.false(isNoSpace('ENOSPC'))
})
