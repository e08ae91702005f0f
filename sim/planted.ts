/**
 * The bugs planted on purpose, to know that the simulator would find them: one entry for each rule of
 * the protocol that somebody could forget. `npm run sim -- --planted` finds them all.
 */
import type { Mode } from '../shared/data/mode.js'
import {
  copiesFromHead,
  decidesOnDurable,
  forgetsAnswered,
  headAnswersRetries,
  ordersByPreference,
  passesUnsynced,
  readsBeforeMark,
} from './planted-chains.js'
import {
  acknowledgesUnsynced,
  discardsOldTombstones,
  forgetsUnsyncedMerges,
  gainerDoesNotWipe,
  saysCompleteUnsynced,
  skipsTombstones,
} from './planted-disks.js'
import {
  countsHints,
  countsJoinerForOwner,
  drawsVersionsTwice,
  readSkipsWriteBack,
  readsFromOne,
  replyWithoutFence,
  takesOldMessages,
} from './planted-requests.js'
import {
  announcesBeforeJournal,
  answersStaleEpoch,
  copiesFromOneSource,
  donorDeletesEarly,
  erasesOnAbort,
  evictsAlone,
  plansOneSource,
  settlesEarly,
} from './planted-rings.js'
import { dropsSiblings, reusesDots, supersedesUnseen } from './planted-siblings.js'
import type { Plant } from './planting.js'

export interface PlantedBug {
  readonly mode: Mode
  readonly plant: Plant
  /** The first seed that finds it, as known: where a short hunt begins. */
  readonly foundAt?: number
  /** It is found within so many seeds. */
  readonly seedsMax: number
  /** Within so many by what clients were told alone, without a look at any process or disk. */
  readonly historySeedsMax?: number
}

/** No bug may take more. */
const seedsMax = 2_000

const ofLatest = { mode: 'latest', seedsMax } as const
const ofSiblings = { mode: 'siblings', seedsMax } as const
const ofChain = { mode: 'chain', seedsMax } as const

export const plants: Readonly<Record<string, PlantedBug>> = {
  'donor-deletes-early': { ...ofLatest, plant: donorDeletesEarly, historySeedsMax: 200 },
  'read-skips-write-back': { ...ofLatest, plant: readSkipsWriteBack, historySeedsMax: 200 },
  'reply-without-fence': { ...ofLatest, plant: replyWithoutFence },
  'reads-from-one': { ...ofLatest, plant: readsFromOne, historySeedsMax: 200 },
  'counts-hints': { ...ofLatest, plant: countsHints },
  'counts-joiner-for-owner': { ...ofLatest, plant: countsJoinerForOwner },
  'draws-versions-twice': { ...ofLatest, plant: drawsVersionsTwice },
  'takes-old-messages': { ...ofLatest, plant: takesOldMessages, foundAt: 567 },
  'answers-stale-epoch': { ...ofLatest, plant: answersStaleEpoch, foundAt: 32 },
  'copies-from-one-source': { ...ofLatest, plant: copiesFromOneSource },
  'plans-one-source': { ...ofLatest, plant: plansOneSource },
  'evicts-alone': { ...ofLatest, plant: evictsAlone, foundAt: 694 },
  'erases-on-abort': { ...ofLatest, plant: erasesOnAbort },
  'settles-early': { ...ofLatest, plant: settlesEarly },
  'announces-before-journal': { ...ofLatest, plant: announcesBeforeJournal },
  'acknowledges-unsynced': { ...ofLatest, plant: acknowledgesUnsynced },
  'forgets-unsynced-merges': { ...ofLatest, plant: forgetsUnsyncedMerges },
  'says-complete-unsynced': { ...ofLatest, plant: saysCompleteUnsynced, foundAt: 16 },
  'gainer-does-not-wipe': { ...ofLatest, plant: gainerDoesNotWipe },
  'discards-old-tombstones': { ...ofLatest, plant: discardsOldTombstones },
  'handoff-skips-tombstones': { ...ofLatest, plant: skipsTombstones },
  'drops-siblings': { ...ofSiblings, plant: dropsSiblings, historySeedsMax: 200 },
  'supersedes-unseen': { ...ofSiblings, plant: supersedesUnseen, historySeedsMax: 200 },
  'reuses-dots': { ...ofSiblings, plant: reusesDots, historySeedsMax: 200 },
  'chain-reads-without-fence': { ...ofChain, plant: replyWithoutFence },
  'chain-reads-before-mark': { ...ofChain, plant: readsBeforeMark },
  'head-answers-retries': { ...ofChain, plant: headAnswersRetries },
  'decides-on-durable': { ...ofChain, plant: decidesOnDurable, historySeedsMax: 200 },
  'forgets-answered-requests': { ...ofChain, plant: forgetsAnswered },
  'passes-unsynced': { ...ofChain, plant: passesUnsynced },
  'orders-by-preference': { ...ofChain, plant: ordersByPreference },
  'copies-from-head': { ...ofChain, plant: copiesFromHead },
}
