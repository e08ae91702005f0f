/**
 * The bugs planted on purpose, to know that the simulator would find them: one entry for each rule of
 * the protocol that somebody could forget. `npm run sim -- --planted` finds them all.
 */
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
import type { Plant } from './planting.js'

export interface PlantedBug {
  readonly plant: Plant
  /** It is found within so many seeds. */
  readonly seedsMax: number
  /** Within so many by what clients were told alone, without a look at any process or disk. */
  readonly historySeedsMax?: number
}

/** No bug may take more. */
const seedsMax = 2_000

export const plants: Readonly<Record<string, PlantedBug>> = {
  'donor-deletes-early': { plant: donorDeletesEarly, seedsMax, historySeedsMax: 200 },
  'read-skips-write-back': { plant: readSkipsWriteBack, seedsMax, historySeedsMax: 200 },
  'reply-without-fence': { plant: replyWithoutFence, seedsMax },
  'reads-from-one': { plant: readsFromOne, seedsMax, historySeedsMax: 200 },
  'counts-hints': { plant: countsHints, seedsMax },
  'counts-joiner-for-owner': { plant: countsJoinerForOwner, seedsMax },
  'draws-versions-twice': { plant: drawsVersionsTwice, seedsMax },
  'takes-old-messages': { plant: takesOldMessages, seedsMax },
  'answers-stale-epoch': { plant: answersStaleEpoch, seedsMax },
  'copies-from-one-source': { plant: copiesFromOneSource, seedsMax },
  'plans-one-source': { plant: plansOneSource, seedsMax },
  'evicts-alone': { plant: evictsAlone, seedsMax },
  'erases-on-abort': { plant: erasesOnAbort, seedsMax },
  'settles-early': { plant: settlesEarly, seedsMax },
  'announces-before-journal': { plant: announcesBeforeJournal, seedsMax },
  'acknowledges-unsynced': { plant: acknowledgesUnsynced, seedsMax },
  'forgets-unsynced-merges': { plant: forgetsUnsyncedMerges, seedsMax },
  'says-complete-unsynced': { plant: saysCompleteUnsynced, seedsMax },
  'gainer-does-not-wipe': { plant: gainerDoesNotWipe, seedsMax },
  'discards-old-tombstones': { plant: discardsOldTombstones, seedsMax },
  'handoff-skips-tombstones': { plant: skipsTombstones, seedsMax },
}
