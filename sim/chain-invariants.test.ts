import test from 'ava'
import { noVersion } from '../shared/data/chain-record.js'
import type { Version } from '../shared/data/version.js'
import { found } from '../shared/ring/chains.js'
import type { NodeId } from '../shared/ring/description.js'
import { tokenOf } from '../shared/ring/token.js'
import { ChainInvariants } from './chain-invariants.js'
import { entryName } from './disk.js'
import { toyHost } from './toy.fixture.js'

const key = Buffer.from('k')
const token = tokenOf(key)
const nodes = ['n1', 'n2', 'n3']
const placement = { replicas: 3, readQuorum: 1, writeQuorum: 3, tokens: [1, 2, 3], nodes }

function at(micros: number): Version {
  return { boot: 1, micros, writer: '0000000000000001' }
}

/** A chain of three that hold nothing, and what is told of it. */
function begin() {
  const host = toyHost(1, { mode: 'chain' })
  const told: string[] = []
  const invariants = new ChainInvariants(
    host,
    () => 1,
    (invariant, detail) => told.push(`${invariant}: ${detail}`),
  )
  const chains = found(placement)
  host.ringFiles.publish({ epoch: 1, swarm: 'test', boot: 1, members: [], placement, chains })
  const hold = (node: NodeId, version: Version) => {
    const entry = { token, key, record: { version, value: null } }
    host.disk.store(node).entries.set(entryName(token, key), entry)
  }
  const forget = (node: NodeId) => host.disk.store(node).entries.delete(entryName(token, key))
  const collected = (version: Version) => invariants.collected({ token, key, version })
  return { told, hold, forget, collected }
}

const notN2 = 'a tombstone goes when all owners hold it: k: not n2'

test('what a head refused beside a forgotten key goes elsewhere with its tombstone', (t) => {
  const { told, hold, forget, collected } = begin()
  for (const node of nodes) hold(node, at(1))
  collected(at(1))
  hold('n1', noVersion)
  forget('n2')
  collected(noVersion)
  t.deepEqual(told, [])
})

test('what was refused beside a key without a tombstone goes when all hold it', (t) => {
  const { told, hold, collected } = begin()
  hold('n1', noVersion)
  hold('n3', noVersion)
  collected(noVersion)
  t.deepEqual(told, [notN2])
})

test('a tombstone that others miss is told, whatever went before it', (t) => {
  for (const version of [at(1), at(3)]) {
    const { told, hold, forget, collected } = begin()
    for (const node of nodes) hold(node, at(2))
    collected(at(2))
    for (const node of ['n1', 'n3']) hold(node, version)
    forget('n2')
    collected(version)
    t.deepEqual(told, [notN2])
  }
})
