import test from 'ava'
import type { Chain, RingDescription } from '../shared/ring/description.js'
import { Ring } from '../shared/ring/ring.js'
import { chainsFollow } from './chain-rings.js'

/** `n1 n2 | n3 > n2`: the full members, those that are copied to, and who reads. */
function chainOf(text: string): Chain {
  const [order = '', reader = ''] = text.split('>').map((part) => part.trim())
  const [holders = [], joiners = []] = order.split('|').map(nodesOf)
  const members = [...holders, ...joiners]
  return { from: 5, to: 5, members, full: holders.length, reader }
}

function nodesOf(text: string): string[] {
  return text.split(' ').filter((node) => node !== '')
}

function ringOf(epoch: number, text: string): Ring {
  const description: RingDescription = {
    epoch,
    swarm: 'test',
    boot: 1,
    members: [],
    placement: {
      replicas: 3,
      readQuorum: 1,
      writeQuorum: 3,
      tokens: [1, 2, 3],
      nodes: ['n1', 'n2', 'n3'],
    },
    chains: [chainOf(text)],
  }
  return new Ring(description)
}

function verdict(before: string, after: string): string | undefined {
  return chainsFollow(ringOf(1, before), ringOf(2, after))
}

const legal: [string, string, string][] = [
  ['somebody is copied to', 'n1 n2 > n2', 'n1 n2 | n3 > n2'],
  ['who was copied to reads', 'n1 n2 | n3 > n2', 'n1 n2 | n3 > n3'],
  ['who read is full', 'n1 n2 | n3 > n3', 'n1 n2 n3 > n3'],
  ['a leaver goes when the joiner is full', 'n1 n2 | n3 > n3', 'n2 n3 > n3'],
  ['the copying is given up', 'n1 n2 | n3 > n2', 'n1 n2 > n2'],
  ['the dead go', 'n1 n2 n3 > n3', 'n2 > n2'],
]

const illegal: [string, string, string, RegExp][] = [
  ['preference order', 'n2 n1 n3 > n3', 'n1 n2 n3 > n3', /survivors changed their order/],
  ['full without a switch', 'n1 n2 | n3 > n2', 'n1 n2 n3 > n3', /n3 hold everything without/],
  ['full without a copy', 'n1 n2 > n2', 'n1 n2 n3 > n3', /n3 hold everything without/],
  ['a joiner among the full', 'n1 n2 > n2', 'n1 n3 | n2 > n3', /n3 hold everything without/],
  ['nobody is left', 'n1 > n1', '| n2 > n2', /nobody holds the arc/],
  ['a stranger reads', 'n1 n2 > n2', 'n1 n2 > n3', /the reader is no member/],
]

for (const [name, before, after] of legal) {
  test(`chains follow: ${name}`, (t) => {
    t.is(verdict(before, after), undefined)
  })
}

for (const [name, before, after, reason] of illegal) {
  test(`chains do not follow: ${name}`, (t) => {
    t.regex(verdict(before, after) ?? '', reason)
  })
}
