/** No port: a swarm at work has no network socket of any kind. */
import { readdirSync, readFileSync, readlinkSync } from 'node:fs'
import test from 'ava'
import { connect, each, startSwarm } from './swarm.fixture.js'

/** Inodes of the network sockets of this host, of every protocol. */
function networkSockets(): Set<string> {
  const inodes = new Set<string>()
  for (const table of ['tcp', 'tcp6', 'udp', 'udp6', 'raw', 'raw6']) {
    const [, ...rows] = readFileSync(`/proc/net/${table}`, 'utf8').trim().split('\n')
    for (const row of rows) inodes.add(row.trim().split(/\s+/)[9] ?? '')
  }
  return inodes
}

function socketsOf(pid: number): string[] {
  return readdirSync(`/proc/${pid}/fd`).flatMap((fd) => {
    try {
      return readlinkSync(`/proc/${pid}/fd/${fd}`).match(/^socket:\[(\d+)\]$/)?.[1] ?? []
    } catch {
      return [] // closed meanwhile
    }
  })
}

test.serial('nothing listens on a network, and nothing is connected over one', async (t) => {
  t.timeout(60_000)
  const swarm = await startSwarm(t, { nodes: 3 })
  const client = await connect(t, swarm)
  await each(100, async (index) => {
    await client.put(`key${index}`, 'value')
  })
  const onNetwork = networkSockets()
  for (const pid of [...swarm.pids, process.pid]) {
    const sockets = socketsOf(pid)
    t.true(sockets.length > 0, `process ${pid} speaks through sockets`)
    t.deepEqual(
      sockets.filter((inode) => onNetwork.has(inode)),
      [],
    )
  }
})
